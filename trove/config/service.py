# SPDX-License-Identifier: Apache-2.0
"""What every process of the control plane has: its concurrency, its end, its files."""

from oslo_config import cfg

GROUP = None

BACKEND = cfg.StrOpt(
    "concurrency_backend",
    default="auto",
    choices=[
        ("auto", "The backend this release is best tested with: threading."),
        ("threading", "Native threads; the API is served by gunicorn."),
        ("eventlet", "Green threads, deprecated by their authors; eventlet.wsgi."),
    ],
    help="How the API, the taskmanager and the conductor do many things at once. "
    "Read before anything else is loaded, so from the configuration files only.",
)

OPTS = [
    BACKEND,
    cfg.IntOpt(
        "drain_time",
        default=60,
        min=1,
        max=3600,
        help="Seconds that a process has, after SIGTERM, to finish what it began. "
        "Less than the TimeoutStopSec of its unit.",
    ),
    cfg.StrOpt(
        "ready_file",
        help="A file that exists while the process serves, and holds its number.",
    ),
]
