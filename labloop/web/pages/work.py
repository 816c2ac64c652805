"""Work under way: its progress, and cancelling it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from labloop.web.jobs import Job
from labloop.web.visit import Visit, address, go


def watch(visit: Visit) -> Response:
    """Show how far some work is; go on where it leads when it is done."""
    job = _job(visit)
    if job.state == "done":
        return go(job.onward(job.outcome))
    if job.state == "cancelled":
        return go(job.back)
    folders = visit.house.shelf.folders()
    name = next((name for name, folder in folders.items() if folder == job.folder), None)
    return visit.show("work.html.j2", 200 if job.state == "running" else 409, job=job, name=name)


def state(visit: Visit) -> Response:
    """Return how far some work is, for the page's script."""
    job = _job(visit)
    return JSONResponse(
        {
            "state": job.state,
            "seconds": round(job.seconds),
            "stages": [
                {"name": name, "done": done, "total": total}
                for name, (done, total) in job.stages.items()
            ],
        }
    )


def cancel(visit: Visit) -> Response:
    """End some work; the campaign stays as it was."""
    job = _job(visit)
    visit.house.jobs.cancel(job)
    return go(address("jobs", job.key))


def _job(visit: Visit) -> Job:
    job = visit.house.jobs.get(str(visit.path["key"]))
    if job is None:
        raise HTTPException(404, "This work is not known; it ended some time ago.")
    return job
