"""Files in one folder, as Docker and Kubernetes mount secrets."""
