"""AWS: secrets from Secrets Manager, key-encryption keys in KMS; boto3 is imported on opening."""
