import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import joblib
import numpy as np
import pytest

from labloop import parallel
from labloop.errors import RefusedError
from labloop.parallel import spread, workers

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


def started(workers=2):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=60,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with started() as local:
        yield local.scheduler_address


def under(jobs=None, cluster=None):
    """Return what work gives that needs something shared larger than its tasks."""
    with workers(cluster, jobs):
        return list(spread(np.add, np.arange(300_000), range(5)))


def test_the_results_are_in_the_order_of_the_tasks_on_processes_too():
    here, there = under(), under(jobs=2)

    assert [int(each[0]) for each in here] == [0, 1, 2, 3, 4]
    assert np.array_equal(here, there)


def test_the_results_are_in_the_order_of_the_tasks_on_a_cluster_too(cluster):
    assert np.array_equal(under(), under(cluster=cluster))


def whereabouts(shared, task):
    del shared, task
    return os.getpid()


def spread_within(shared, task):
    del task
    return list(spread(whereabouts, shared, range(3)))


@pytest.mark.parametrize("on_cluster", [False, True])
def test_what_a_task_spreads_is_done_where_the_task_is(cluster, on_cluster):
    with workers(cluster) if on_cluster else workers(jobs=2):
        for places in spread(spread_within, None, range(4)):
            assert len(set(places)) == 1
            assert os.getpid() not in places


def test_no_tasks_have_no_results(cluster):
    with workers(cluster):
        assert list(spread(whereabouts, None, [])) == []


def test_work_can_be_given_up_midway():
    begun = []
    results = spread(lambda _, task: begun.append(task), None, range(1000))

    next(results)
    results.close()

    assert len(begun) < 10


def test_a_task_s_own_error_is_raised_as_it_is(cluster):
    with workers(cluster), pytest.raises(ZeroDivisionError):
        list(spread(operator.truediv, 1.0, [1.0, 0.0]))


def die_once(marker, task):
    """Kill the worker at the third task, the first time."""
    if task == 3 and not os.path.exists(marker):  # noqa: PTH110
        open(marker, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(0.05)
    return task


@pytest.mark.slow
def test_a_process_that_is_killed_costs_no_results(tmp_path):
    with workers(jobs=2):
        assert list(spread(die_once, str(tmp_path / "died"), range(10))) == list(range(10))

    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_results(tmp_path):
    with started() as local, workers(local.scheduler_address):
        assert list(spread(die_once, str(tmp_path / "died"), range(10))) == list(range(10))

    assert (tmp_path / "died").exists()


def die(shared, task):
    del shared, task
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


@pytest.mark.slow
def test_work_that_kills_every_process_is_refused():
    with workers(jobs=2), pytest.raises(RefusedError) as refusal:
        list(spread(die, None, range(4)))

    assert str(refusal.value) == (
        "Processes of this computer died 4 times, perhaps for want of memory; ask for fewer jobs."
    )


@pytest.mark.slow
def test_work_that_kills_every_worker_is_refused():
    with started() as local:
        address = local.scheduler_address
        with pytest.raises(RefusedError) as refusal, workers(address):
            list(spread(die, None, range(4)))

    assert str(refusal.value) == (
        f"Workers of the cluster at {address} died time and again at the same work, perhaps for "
        "want of memory; see their logs."
    )


def refusal_of(cluster=None, jobs=None) -> str:
    with pytest.raises(RefusedError) as refusal, workers(cluster, jobs):
        pass
    return str(refusal.value)


def test_a_cluster_has_its_own_number_of_workers():
    assert refusal_of("tcp://127.0.0.1:8786", 2) == (
        "Give a cluster or a number of jobs, not both: a cluster has its own workers."
    )


def test_there_is_at_least_one_job():
    assert refusal_of(jobs=0) == "The number of jobs is 1 or more (got 0)."


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8786", "tcp://127.0.0.1", "http://127.0.0.1:8786", "tcp://a:b", ""]
)
def test_what_is_no_address_is_refused(address):
    assert refusal_of(address) == (
        f'"{address}" is no address of a cluster; write it like tcp://192.168.0.10:8786.'
    )


def test_an_address_where_nothing_answers_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "CONNECTING", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"

    assert refusal_of(address) == (
        f"No Dask scheduler answers at {address}; start one with `dask scheduler` and give the "
        "address that it prints."
    )


def test_a_cluster_without_workers_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "JOINING", 0.1)
    with started(workers=0) as empty:
        address = empty.scheduler_address

        assert refusal_of(address) == (
            f"The cluster at {address} has no workers; start some with `dask worker {address}`."
        )


def test_workers_of_another_version_are_refused(monkeypatch, cluster):
    there = parallel.versions()
    with distributed.Client(cluster, set_as_default=False) as client:
        first = next(iter(client.scheduler_info()["workers"]))
    monkeypatch.setattr(parallel.metadata, "version", (there | {"labloop": "9.9"}).get)

    assert refusal_of(cluster) == (
        f"The worker at {first} has labloop {there['labloop']}, here it is 9.9: install the same "
        "versions there and here."
    )


def test_workers_without_labloop_are_refused(monkeypatch, cluster):
    monkeypatch.setattr(parallel, "find_spec", {}.get)

    assert refusal_of(cluster).endswith(
        'has no labloop: run `pip install "labloop[cluster]"` there.'
    )


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    assert refusal_of("tcp://127.0.0.1:8786") == (
        'Clusters need an extra: run `pip install "labloop[cluster]"` here and where the workers '
        "are."
    )


def test_workers_are_imported_without_torch_and_dask():
    program = "import sys, labloop.parallel; print({'torch', 'distributed'} & {*sys.modules})"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert shown.stdout.strip() == "set()"


def test_a_cluster_chosen_by_joblib_s_own_means_is_used_too(cluster):
    with (
        distributed.Client(cluster, set_as_default=False) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        assert os.getpid() not in list(spread(whereabouts, None, range(4)))


def test_what_was_chosen_is_known(cluster):
    assert not parallel.chosen()
    for jobs in (1, 2):
        with workers(jobs=jobs):
            assert parallel.chosen()
    with workers(cluster):
        assert parallel.chosen()


def thread_of(shared, task):
    del shared, task
    time.sleep(0.05)
    return threading.get_ident()


def test_threads_are_used_where_nothing_was_chosen():
    assert len(set(spread(thread_of, None, range(8), threads=2))) == 2
    with workers(jobs=1):
        assert set(spread(thread_of, None, range(4), threads=2)) == {threading.get_ident()}
