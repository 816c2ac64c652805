"""Independent work: in this process, on processes of this computer, or on a Dask cluster.

Who has such work calls `spread`; where it is done is the business of the outermost caller, who
chooses it once with `workers`. The results are the same everywhere.
"""

from __future__ import annotations

import pickle
import platform
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from labloop.errors import RefusedError

if TYPE_CHECKING:
    from distributed import Client

CONNECTING = 5.0  # seconds to wait for a scheduler
JOINING = 10.0  # seconds to wait for the first worker
DEATHS = 3  # of workers, as many as Dask allows
_ALIKE = ("labloop", "torch", "numpy", "scikit-learn")

# What joblib.Parallel is told. Joblib's own configuration would also rule the small work of other
# packages, such as the trees of a forest, which is best done on the spot.
_CHOSEN: ContextVar[dict[str, Any] | None] = ContextVar("chosen", default=None)

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def workers(cluster: str | None = None, jobs: int | None = None) -> Iterator[None]:
    """Let what is spread inside the block be done by a cluster, or by processes.

    Args:
        cluster: Address of a Dask scheduler, such as "tcp://192.168.0.10:8786".
        jobs: How many processes of this computer; None for what the work itself thinks best.

    Raises:
        RefusedError: Both are given; there is no cluster at the address, it has no workers, or they
            have other versions; `dask[distributed]` is not installed.
    """
    if cluster is not None and jobs is not None:
        raise RefusedError(
            "Give a cluster or a number of jobs, not both: a cluster has its own workers."
        )
    if jobs is not None and jobs < 1:
        raise RefusedError(f"The number of jobs is 1 or more (got {jobs}).")
    if cluster is not None:
        with _on_cluster(cluster):
            yield
    elif jobs is not None:
        with _choosing({"backend": "loky", "n_jobs": jobs}):
            yield
    else:
        yield


def spread(
    function: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    *,
    threads: int = 1,
) -> Generator[Result, None, None]:
    """Yield function(shared, task) of every task, in the tasks' order, wherever they are done.

    Only a few tasks are under way at a time, so that any number of them needs no more memory. A
    task whose worker dies is done again by another one. Within a task nothing is spread further.

    Args:
        function: A function of a module, without side effects: it may run more than once.
        shared: What every task needs, sent once to each worker, functions within functions too.
        tasks: What is to be done.
        threads: How many threads do it where no workers were chosen.

    Raises:
        RefusedError: Workers died time and again, or the cluster went away.
    """
    from joblib import Parallel, delayed

    where = _CHOSEN.get() or {}
    if not chosen() and threads > 1:
        where = {"backend": "threading", "n_jobs": threads}
    done, deaths = 0, 0
    with _sent(shared, where) as sent:
        while done < len(tasks):
            work = (delayed(_in_place)(function, sent, task) for task in tasks[done:])
            results = Parallel(return_as="generator", pre_dispatch="3*n_jobs", **where)(work)
            try:
                with _ended(results):
                    for result in results:
                        done += 1
                        yield result
            except BrokenProcessPool as error:
                deaths += 1
                if deaths > DEATHS:
                    raise RefusedError(
                        f"Processes of this computer died {deaths} times, perhaps for want of "
                        "memory; ask for fewer jobs."
                    ) from error


def chosen() -> bool:
    """Say whether workers were chosen, be it by joblib's own means, or work is within a task."""
    from joblib.parallel import get_active_backend

    backend, jobs = get_active_backend()
    return (
        _CHOSEN.get() is not None
        or jobs is not None
        or getattr(backend, "supports_sharedmem", False)
        or hasattr(backend, "client")
    )


@contextmanager
def _choosing(where: dict[str, Any]) -> Iterator[None]:
    token = _CHOSEN.set(where)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


@contextmanager
def _ended(results: Generator[Result, None, None]) -> Iterator[None]:
    """Cancel what is still under way when the block ends."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            # Where the block was interrupted, that work is cancelled is what was wanted.
            warnings.simplefilter("ignore", UserWarning)
            results.close()


def _in_place(
    function: Callable[[Shared, Task], Result], sent: Shared | _Stored, task: Task
) -> Result:
    """Do a task on a worker, and whatever is spread within it in the same place."""
    from joblib import parallel_config

    shared: Any = _loaded(sent.path) if isinstance(sent, _Stored) else sent
    here = {"backend": "sequential", "n_jobs": 1}
    with _choosing(here), parallel_config(**here):
        return function(shared, task)


@dataclass(frozen=True)
class _Stored:
    """Something that processes of this computer find in a file."""

    path: str


@contextmanager
def _sent(shared: Shared, where: dict[str, Any]) -> Iterator[Any]:
    """Give what stands for `shared` in a task: itself, where workers find it, or its future."""
    import cloudpickle
    from joblib.parallel import get_active_backend

    backend, jobs = get_active_backend()
    backend, jobs = where.get("backend", backend), where.get("n_jobs", jobs)
    if hasattr(backend, "client"):
        # Unlike scattered values, a result is made anew when the workers that hold it die.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            future = backend.client.submit(pickle.loads, cloudpickle.dumps(shared), pure=False)
        yield future
    elif jobs in (None, 1) or backend == "threading" or hasattr(backend, "supports_sharedmem"):
        yield shared
    else:
        with tempfile.TemporaryDirectory(prefix="labloop-") as folder:
            path = Path(folder) / "shared"
            path.write_bytes(cloudpickle.dumps(shared))
            yield _Stored(str(path))


@lru_cache(maxsize=1)
def _loaded(path: str) -> object:
    return pickle.loads(Path(path).read_bytes())


@contextmanager
def _on_cluster(address: str) -> Iterator[None]:
    try:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError
    except ImportError as error:
        raise RefusedError(
            'Clusters need an extra: run `pip install "labloop[cluster]"` here and where the '
            "workers are."
        ) from error
    with _connected(address) as client:
        _check_versions(client)
        try:
            with _choosing({"backend": _backend(client)}):
                yield
        except KilledWorker as error:
            raise RefusedError(
                f"Workers of the cluster at {address} died time and again at the same work, "
                "perhaps for want of memory; see their logs."
            ) from error
        except FutureCancelledError as error:
            raise RefusedError(
                f"The cluster at {address} went away in the middle of the work; see the "
                "scheduler's log, and try again."
            ) from error


def _backend(client: Client) -> Any:
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]
        """Joblib's way to a cluster, also where that has a single worker with a single thread."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            threads: int = super().effective_n_jobs(n_jobs)
            return max(2, threads)  # told of one, joblib would do the work in this process

        def submit(self, func: Any, callback: Callable[[Any], None]) -> Future[Any]:
            """Have a task done; unlike joblib's own way, tell also when its workers died."""
            future: Future[Any] = super().submit(func, callback)

            def told(done: Future[Any]) -> None:
                if done.exception() is not None:
                    callback(done.exception())

            future.add_done_callback(told)
            return future

    return Cluster(client=client)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """Give a client of the scheduler at an address, with at least one worker behind it."""
    from distributed import Client

    _check_address(address)
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"No Dask scheduler answers at {address}; start one with `dask scheduler` and give "
            "the address that it prints."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=JOINING)
        except TimeoutError as error:
            raise RefusedError(
                f"The cluster at {address} has no workers; start some with `dask worker {address}`."
            ) from error
        yield client


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        raise RefusedError(
            f'"{address}" is no address of a cluster; write it like tcp://192.168.0.10:8786.'
        )


def versions() -> dict[str, str]:
    """Return the versions of what work and its results depend on."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _ALIKE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "of no version"
    return found


def _check_versions(client: Client) -> None:
    """Refuse workers whose programs differ: they could not read the work, or would differ in it."""
    here = versions()
    without = [worker for worker, spec in client.run(find_spec, "labloop").items() if spec is None]
    if without:
        raise RefusedError(
            f"The worker at {without[0]} has no labloop: run "
            '`pip install "labloop[cluster]"` there.'
        )
    for worker, there in client.run(versions).items():
        other = [f"{name} {there[name]}, here it is {here[name]}"
                 for name in here if there[name] != here[name]]  # fmt: skip
        if other:
            raise RefusedError(
                f"The worker at {worker} has {'; '.join(other)}: install the same versions "
                "there and here."
            )
