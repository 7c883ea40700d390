"""The plan of the house is kept, and what keeps it is seen to break when it is not."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "ports", "application", "adapters", "infra")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
LONGEST_FILE = 300
MODULES = sorted(
    path
    for folder in (*LAYERS, "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(*folders: str) -> list[Path]:
    return [path for path in MODULES if named(path).startswith(tuple(f"{f}/" for f in folders))]


def by_folder(paths: list[Path]) -> pytest.MarkDecorator:
    """Give a test the modules of one folder at a time."""
    folders = sorted({path.parent for path in paths})
    each = [[path for path in paths if path.parent == folder] for folder in folders]
    return pytest.mark.parametrize("paths", each, ids=map(named, folders))


def test_the_tree_is_really_looked_at() -> None:
    assert len(within(*LAYERS)) > 80


def test_the_package_links_to_the_folders_at_the_root() -> None:
    package = ROOT / "src" / "tollkeeper"
    links = {
        path.name: path.readlink().as_posix() for path in package.iterdir() if path.is_symlink()
    }
    expected = {layer: f"../../{layer}" for layer in LAYERS}
    assert links == {**expected, "contracts": "../../tests/contracts"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the house, to plant faults in."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in (*LAYERS, "src", "tests/contracts"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    return copy


def lint(folder: Path) -> tuple[int, str]:
    command = [str(LINT_IMPORTS), "--no-logo"]
    environ = {"PYTHONPATH": str(folder / "src"), "PATH": ""}
    run = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def test_every_rule_of_direction_is_kept(copy: Path) -> None:
    code, output = lint(copy)
    assert code == 0, output
    assert "0 broken" in output


INWARDS = "Dependencies point inwards"
INSIDE = "The inside knows no provider and no framework"
PURE = "The domain needs attrs and the standard library alone"
ROOT_ONLY = "Only the composition root imports dependency-injector"
APART = "Providers do not know one another"
SHARED = "The shared wire code knows no provider"
WIRE = "HTTP and JSON belong to the wire: aiohttp and msgspec"
ANTHROPIC = "One SDK, one folder: anthropic and httpx2"
LITELLM = "One SDK, one folder: litellm"
JSONSCHEMA = "One SDK, one folder: jsonschema"
POCKETSPHINX = "One SDK, one folder: pocketsphinx"
SQLITE = "One SDK, one folder: sqlite3"
SQL = "The shared SQL code knows no provider and no driver"
ASYNCPG = "One SDK, one folder: asyncpg"
MIGRATIONS = "Migrations alone use alembic and sqlalchemy"
REDIS = "One SDK, one folder: redis"
SUPABASE = "One SDK, one folder: supabase and what it is made of"
VIOLATIONS = [
    (INWARDS, "domain/money.py", "tollkeeper.ports.clock"),
    (INWARDS, "ports/clock.py", "tollkeeper.application.policy"),
    (INWARDS, "application/policy.py", "tollkeeper.adapters.memory.cache"),
    (INWARDS, "application/policy.py", "tollkeeper.infra.lazy"),
    (INWARDS, "adapters/memory/cache.py", "tollkeeper.application.policy"),
    (INWARDS, "infra/lazy.py", "tollkeeper.contracts.cache"),
    (INWARDS, "src/tollkeeper/extras/__init__.py", "attrs"),
    (INSIDE, "application/policy.py", "rich"),
    (INSIDE, "ports/cache.py", "sqlite3"),
    (INSIDE, "domain/money.py", "dependency_injector"),
    (PURE, "domain/money.py", "asyncio"),
    (ROOT_ONLY, "infra/registry.py", "dependency_injector.providers"),
    (APART, "adapters/offline/chat_model.py", "tollkeeper.adapters.memory.cache"),
    (SHARED, "adapters/wire/sse.py", "tollkeeper.adapters.memory.cache"),
    (WIRE, "infra/facade.py", "aiohttp"),
    (WIRE, "adapters/offline/chat_model.py", "msgspec"),
    (ANTHROPIC, "adapters/openai/chat_model.py", "anthropic"),
    (ANTHROPIC, "infra/facade.py", "httpx2"),
    (LITELLM, "infra/facade.py", "litellm"),
    (LITELLM, "adapters/litellm/chat_model.py", "litellm"),
    (JSONSCHEMA, "adapters/openai/chat_model.py", "jsonschema"),
    (JSONSCHEMA, "application/chat_attempts.py", "referencing"),
    (POCKETSPHINX, "infra/facade.py", "pocketsphinx"),
    (SQLITE, "adapters/memory/store.py", "sqlite3"),
    (SQL, "adapters/sql/table_sql.py", "asyncpg"),
    (SQL, "adapters/sql/table_sql.py", "tollkeeper.adapters.sqlite.schema"),
    (ASYNCPG, "adapters/sqlite/store.py", "asyncpg"),
    (ASYNCPG, "infra/facade.py", "asyncpg"),
    (MIGRATIONS, "adapters/postgres/store.py", "alembic"),
    (MIGRATIONS, "infra/cli/migrate.py", "sqlalchemy"),
    (REDIS, "adapters/memory/cache.py", "redis"),
    (SUPABASE, "adapters/postgres/store.py", "supabase"),
    (SUPABASE, "adapters/openai/chat_model.py", "httpx"),
    (SUPABASE, "infra/facade.py", "postgrest"),
    ("One SDK, one folder: boto3 and botocore", "infra/access.py", "boto3"),
    ("One SDK, one folder: PyJWT", "adapters/memory/store.py", "jwt"),
    ("One SDK, one folder: cryptography", "adapters/memory/store.py", "cryptography"),
]


def test_every_rule_is_seen_to_break() -> None:
    rules = re.findall(
        r'^name = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert {rule for rule, _, _ in VIOLATIONS} == {*rules} - {"tollkeeper"}


@pytest.mark.parametrize(("rule", "file", "module"), VIOLATIONS)
def test_a_planted_import_breaks_its_rule(copy: Path, rule: str, file: str, module: str) -> None:
    path = copy / file
    before = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\nimport {module}\n", "utf-8")
    try:
        code, output = lint(copy)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before, "utf-8")
    assert code == 1, output
    assert f"{rule} BROKEN" in output


@by_folder(MODULES)
def test_no_file_is_long_and_no_folder_is_imported_under_its_bare_name(paths: list[Path]) -> None:
    # Under the bare name one class would get two identities.
    bare = {*LAYERS, "contracts"}
    for path in paths:
        assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE, path
        for name in imports(parsed(path)):
            assert name.split(".")[0] not in bare, path
            assert not name.startswith("tests.contracts"), path


STANDARD = sys.stdlib_module_names - {
    # What would bring in the world, the time, chance or an event loop.
    *("asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "select", "selectors"),
    *("shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading"),
    *("time", "urllib", "http", "uuid", "sys", "multiprocessing", "concurrent", "contextvars"),
}


@pytest.mark.parametrize("path", within("domain"), ids=named)
def test_the_domain_is_pure(path: Path) -> None:
    tree = parsed(path)
    for name in imports(tree):
        top = name.split(".")[0]
        ours = top == "attrs" or name.startswith("tollkeeper.domain.")
        assert top in STANDARD or name == "uuid.UUID" or ours, name  # that is a type of values
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), "the domain does not wait"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("now", "utcnow", "today"), "the domain has no clock"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input"), "the domain has no I/O"


PUBLIC = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def undocumented(node: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    if not ast.get_docstring(node):
        yield where
    for child in node.body:
        # The name of a test is a sentence already.
        if not isinstance(child, PUBLIC) or child.name.startswith(("_", "test_")):
            continue
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{where}.{child.name}")
        elif not ast.get_docstring(child):
            yield f"{where}.{child.name}"


DOCUMENTED = within("domain", "ports", "application", "tests/contracts")


@by_folder(DOCUMENTED)
def test_every_public_name_has_a_docstring(paths: list[Path]) -> None:
    assert [name for path in paths for name in undocumented(parsed(path), path.stem)] == []


NOT_OUR_WORDS = re.compile(r"(Service|Manager|Helper|Handler|Utils?)$|^(I|Base|Abstract)[A-Z]")


@by_folder(within(*LAYERS))
def test_classes_are_called_by_our_words(paths: list[Path]) -> None:
    nodes = [node for path in paths for node in ast.walk(parsed(path))]
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if NOT_OUR_WORDS.search(name)] == []


def test_every_port_has_an_adapter_in_memory_and_a_contract_of_its_name() -> None:
    # What an adapter may be beside its port has no adapters of its own.
    ports = {path.stem for path in within("ports")} - {"__init__", "health", "keyed"}
    # Encryption of our own making would be none; versions are kept by the source of secrets.
    elsewhere = {"cipher", "key_encryption", "versioned_secrets"}
    assert ports - elsewhere <= {path.stem for path in within("adapters/memory")}
    assert ports <= {path.stem for path in within("tests/contracts")}


def test_every_adapter_is_shown_to_fit_its_port() -> None:
    ports = {path.stem for path in within("ports")}
    pages = (ROOT / "tests/typing").glob("*conformance.py")
    shown = "".join(page.read_text("utf-8") for page in pages)
    for path in within("adapters"):
        if path.stem in ports and path.stem != "__init__":
            provider, port = path.parent.name, path.stem
            name = "".join(word.title() for word in f"{provider}_{port}".split("_"))
            assert re.search(rf"\b{name}\(", shown), name


READ_THE_ENVIRONMENT = {
    "infra/settings.py",  # once, while the settings are loaded
    "infra/container_ports.py",  # handed to what a host chose with env:// or keyring+env://
    "adapters/litellm/quiet.py",  # litellm writes a variable, which is put back as it was
}


@by_folder(within(*LAYERS))
def test_the_environment_is_read_where_it_is_said_alone(paths: list[Path]) -> None:
    for path in paths:
        if named(path) in READ_THE_ENVIRONMENT or named(path).startswith("infra/cli/"):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("environ", "environb", "getenv", "putenv"), path


SDKS = (
    "attr anyio dependency_injector aiohttp msgspec anthropic httpx2 litellm bpe_openai jsonschema "
    "referencing sqlite3 asyncpg alembic sqlalchemy redis supabase postgrest httpx typer rich "
    "pocketsphinx pytest boto3 botocore cryptography jwt"
)


def test_importing_tollkeeper_loads_no_sdk() -> None:
    code = f"import sys, tollkeeper; print(*sorted(set('{SDKS}'.split()) & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_importing_tollkeeper_costs_little() -> None:
    # In the process, by the processor's time: neither what starting Python costs nor what else
    # the machine does is in it.
    code = (
        "from time import process_time as now; start = now(); import tollkeeper; "
        "print(now() - start)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(7)
    ]
    assert min(float(run.stdout) for run in runs) <= 0.025
