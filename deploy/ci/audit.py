"""Looks at what the lock files hold: licences of what is installed, and known vulnerabilities by pip-audit,
which asks a service on the network. Exit status 0: nothing found; 1: something was; 3: no service could be
asked, so that nothing is known of vulnerabilities."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-api.lock", "requirements-worker.lock", "requirements-cuda.lock")
IMAGES = ("requirements-api.lock", "requirements-worker.lock")
"""What is handed out in images; other packages are tools."""
FORBIDDEN: Final = re.compile(r"\b(AGPL|GPL|SSPL|BUSL|Affero|GNU General Public)", re.IGNORECASE)
WEAK: Final = re.compile(r"LGPL|Lesser", re.IGNORECASE)
UNKNOWN_STATUS = 3


def names(lock: str) -> list[str]:
    """The packages of a lock file."""
    return re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE)


def licence(name: str) -> str:
    """What a package says of its licence; empty for one that is not installed here."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    said = [metadata.get("License-Expression") or "", *(metadata.get("License") or "").splitlines()[:1]]
    said += [line for line in metadata.get_all("Classifier") or [] if line.startswith("License")]
    return "; ".join(text for text in said if text) or "not said"


def licences() -> list[str]:
    """Packages of the images that may not be handed out with a work of another licence."""
    found: list[str] = []
    for name in sorted({name for lock in IMAGES for name in names(lock)}):
        text = licence(name)
        if FORBIDDEN.search(WEAK.sub("", text)):
            found.append(f"{name}: {text}")
    return found


def judged(report: str) -> tuple[list[str], list[str]]:
    """Of pip-audit's report in JSON: what is vulnerable, and what nothing is known of. pip-audit itself calls
    the latter a success, also when it is all of them."""
    packages = json.loads(report)["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'nothing yet'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    return found, unknown


def vulnerabilities(pip_audit: str) -> int:
    """0, 1 or `UNKNOWN_STATUS`."""
    status = 0
    for lock in LOCKS:
        command = [pip_audit, "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
        command += ["--format", "json", "-r", lock]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        try:
            found, unknown = judged(done.stdout)
        except (ValueError, KeyError):
            print(f"{lock}: not audited: {(done.stderr.strip().splitlines() or ['no report'])[-1]}")
            return status or UNKNOWN_STATUS
        for line in found:
            print(f"{lock}: {line}")
        if found:
            status = 1
        elif unknown:
            print(f"{lock}: not audited: the service that was asked does not know {len(unknown)} packages")
            return status or UNKNOWN_STATUS
        else:
            print(f"{lock}: no known vulnerabilities")
    return status


def main() -> int:
    """See the top."""
    found = licences()
    for line in found:
        print(f"licence: {line}")
    if not found:
        print("licences: nothing in the images that must not be there")
    status = vulnerabilities(sys.argv[1])
    return 1 if found else status


if __name__ == "__main__":
    sys.exit(main())
