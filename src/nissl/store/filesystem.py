"""What kind of file system a project lies on.

SQLite's write-ahead log needs memory shared between all its users, which network and cluster
file systems do not give (https://www.sqlite.org/wal.html); there a rollback journal is used.
"""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = frozenset(
    [
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fhgfs",
        "fuse.ceph",
        "fuse.cifs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gfs2",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "panfs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    ]
)
"""Types of file systems that several machines, or a host and its guest, write at once."""

_MOUNTS = Path("/proc/self/mounts")


def network_filesystem(path: Path, mounts: str | None = None) -> str | None:
    """Type of the network file system that holds `path`; None where it is local or not known.

    Parameters
    ----------
    path : Path
        Absolute, without links.
    mounts : str, optional
        Content of ``/proc/self/mounts``; by default that of this machine.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), fields[1]))
        if (path == mount or mount in path.parents) and len(mount.parts) >= depth:
            found, depth = fields[2], len(mount.parts)
    return found if found in NETWORK else None
