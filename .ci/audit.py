"""Look up the pinned versions in the database of known vulnerabilities, where that can be reached.

python .ci/audit.py
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import pinned

_SECONDS = 300
_UNREACHED = re.compile(r"connect|timed? ?out|no answer|not known|resol|network|unreachable|ssl|proxy", re.IGNORECASE)


def main() -> None:
    """Ask pip-audit; exit status 1 if a version has a known vulnerability."""
    with tempfile.TemporaryDirectory() as place:
        versions = Path(place) / "versions.txt"  # of both files, and without hashes, which have to be of all or of none
        versions.write_text("".join(f"{name}=={version}\n" for name, version in pinned().items()), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(versions), "--no-deps", "--disable-pip"]
        try:
            asked = subprocess.run(
                [*command, "--format", "json"], capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            asked = subprocess.CompletedProcess(command, 1, "", f"no answer in {_SECONDS} s")
    status, lines = verdict(asked.stdout, asked.stderr)
    print("\n".join(lines))
    sys.exit(status)


def verdict(answer: str, complaint: str) -> tuple[int, list[str]]:
    """The exit status and what to say of pip-audit's answer.

    A database that does not know a package is none that has looked at it: pip-audit calls that no vulnerability.
    """
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if "No module named" in complaint:
            return 1, ["audit: pip-audit is not whole; make venv builds the set-up that has it"]
        reason = complaint.strip().splitlines()[-1] if complaint.strip() else "no answer"
        if not _UNREACHED.search(complaint or reason):
            return 1, [f"audit: failed: {reason}"]
        return 0, [f"audit: skipped, since the database of vulnerabilities is not reached: {reason}"]
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return 0, ["audit: skipped, since the database of vulnerabilities knows none of the packages here"]
    bad = [
        f"audit: {package['name']} {package['version']}: {found['id']}; mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for package in known
        for found in package["vulns"]
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    counted = f"audit: {len(known)} packages looked up, {len(bad)} vulnerabilities known"
    return int(bool(bad)), [*bad, counted + (f"; not looked up: {', '.join(unknown)}" if unknown else "")]


if __name__ == "__main__":
    main()
