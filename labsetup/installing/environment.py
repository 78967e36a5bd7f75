"""The environment for Python, with what the lab keeps in it beside PyPI's packages."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .apt import apt, candidate
from .steps import KERNEL, Broken, run, works

LIBRARIES = Path("/usr/lib")


def bcc() -> Path | None:
    """The distribution's BCC: Debian has one for each Python, others have it with their own."""
    return next(LIBRARIES.glob("python3*/*-packages/bcc"), None)


def swap(link: Path, target: Path) -> None:
    """Let a link name something else, of which there is no moment without either."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(target, link.parent))  # so that it can be moved with the clone
    if link.is_dir() and not link.is_symlink():  # as an older lab made it
        link.rename(link.with_name(f"{link.name}-before"))
    fresh.replace(link)


@contextlib.contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """Fill a folder that is there as a whole, or not at all."""
    filling = place.with_name(f".{place.name}.new")
    shutil.rmtree(filling, ignore_errors=True)
    filling.mkdir(parents=True)
    yield filling
    filling.replace(place)


def forget_others(place: Path, name: str) -> None:
    """Delete what earlier installations made in the place of this folder."""
    for other in place.parent.glob(f"{name}-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


class Environment:
    """The environment for Python, conda's or the clone's own."""

    def __init__(self, repo: Path, folder: Path) -> None:
        self.repo, self.folder = repo, folder
        self.python = folder / "bin" / "python"
        self.parts = folder / "share" / "xdp-lab"
        self._begun = folder / "xdp-lab.begun"  # there while pip is at work
        self.is_own = folder.is_relative_to(repo)

    def moved_from(self) -> str:
        """Where the clone was when it was installed, if that was elsewhere."""
        with contextlib.suppress(OSError):
            place = (self.folder / "xdp-lab.stamp").read_text().split(" ", 2)[2].rpartition(" ")[0]
            return place if place != str(self.repo) else ""
        return ""

    def make(self) -> None:
        """Make it, or see that it is whole and names no other place."""
        if not self.is_own:  # conda made it
            return
        stamped = (self.folder / "xdp-lab.stamp").exists() and not self._begun.exists()
        whole = stamped and works(self.python, "-c", "import pip")
        python = os.path.realpath(sys.executable)  # which may be that of this environment
        if not whole:
            run(python, "-m", "venv", "--clear", self.folder)
        elif self.moved_from():
            run(python, "-m", "venv", "--without-pip", self.folder)
            run(self.python, "-c", SCRIPTS, self.folder / "bin")

    def daemons(self) -> None:
        """Unpack them, without installing.

        Installed, such a package runs a service of this machine, now (unless policy-rc.d forbids)
        and at each boot; so only its files are taken, for the lab alone, and its libraries from the
        distribution.
        """
        for package, *commands in (("bird2", "bird", "birdc"), ("haproxy", "haproxy")):
            path = shutil.which(commands[0])
            version = candidate(package) if shutil.which("apt-get") else ""
            if (path and not Path(path).is_relative_to(self.folder)) or not version:
                continue
            place = self.parts / f"{package}-{version.replace(':', '_')}"
            if not place.exists():
                with fresh_folder(place) as folder:
                    os.chdir(folder)
                    apt("download", package)
                    (file,) = folder.glob("*.deb")
                    libraries = run("dpkg-deb", "--field", file, "Depends", quiet=True).strip()
                    apt("satisfy", "--no-install-recommends", libraries)
                    run("dpkg-deb", "--extract", file, folder)
                    file.unlink()
            for command in commands:
                swap(self.folder / "bin" / command, place / "usr" / "sbin" / command)
            forget_others(place, package)
            shutil.rmtree(self.parts / package, ignore_errors=True)  # as an older lab called it

    def headers(self) -> None:
        """Arrange kernel headers for BCC.

        Debian splits them in two packages and BCC wants one folder: links to both, the particular
        ones over the common ones.  Nothing is written into /lib/modules.
        """
        if Path("/lib/modules", KERNEL, "build").exists():
            return
        trees = sorted(Path("/usr/src").glob("linux-headers-*/include/generated/autoconf.h"))
        if not trees:
            raise Broken("there are no kernel headers in /usr/src")
        tree = trees[0].parents[2]
        place = self.parts / f"kernel-headers-{tree.name.removeprefix('linux-headers-')}"
        if not place.exists():
            pattern = r"^include (/usr/src/.*)/Makefile$"
            common = re.findall(pattern, (tree / "Makefile").read_text(), re.MULTILINE)
            with fresh_folder(place) as folder:
                for part in (*common, tree):
                    run("cp", "-rsf", f"{part}/include", f"{part}/arch", folder)
        swap(self.parts / "kernel-headers", place)
        forget_others(place, "kernel-headers")

    def packages(self) -> None:
        """Install what PyPI has, and show this Python the distribution's BCC."""
        wanted = self.repo / "labsetup" / "requirements.txt"
        pip = self.python, "-m", "pip", "install", "--disable-pip-version-check"
        # A package of which a part is there would pass for installed.
        anew = ["--force-reinstall"] if self._begun.exists() else []
        self._begun.touch()
        run(*pip, *anew, "--require-hashes", "-r", wanted)
        self._begun.unlink()
        # BCC's Python comes with the distribution's libbcc, which it must match; the package of
        # that name on PyPI is another thing.
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(run(self.python, "-c", where, quiet=True).strip())
        (site / "bcc").unlink(missing_ok=True)
        if not (place := bcc()):
            raise Broken("the distribution's BCC is not in /usr/lib")
        (site / "bcc").symlink_to(place)
        (site / "xdp-lab.pth").write_text(f"{self.repo}\n")
        # Ubuntu's bpftool refuses a kernel that is not its own; the program behind it does not.
        if not works("bpftool", "version"):
            for tool in Path("/usr/lib/linux-tools").glob("*/bpftool"):
                (self.folder / "bin" / "bpftool").unlink(missing_ok=True)
                (self.folder / "bin" / "bpftool").symlink_to(tool)
        works(self.python, "-m", "compileall", "-q", self.repo / "labsetup")

    def jupyter(self) -> None:
        """Make the kernel known, and JupyterLab quiet."""
        words = [str(self.python), "-m", "labsetup.kernel", "-f", "{connection_file}"]
        kernel = {"argv": words, "display_name": "XDP Lab", "language": "python"}
        settings = {
            # No look-up outside.
            "apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
            # A page that is scrolled beyond its end looks like one that lost everything.
            "notebook-extension:tracker": {"scrollPastEnd": False},
            # A link to the glossary opens it to be read.
            "docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
        }
        for path, content in (
            ("kernels/xdp-lab/kernel.json", kernel | {"metadata": {"debugger": True}}),
            (
                "lab/settings/overrides.json",
                {f"@jupyterlab/{name}": content for name, content in settings.items()},
            ),
        ):
            file = self.folder / "share" / "jupyter" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f".{file.name}.new")
            fresh.write_text(json.dumps(content, indent=2) + "\n")
            fresh.replace(file)
        editor = self.repo / "labsetup" / "editor"  # C in cells, and what else a browser needs
        logo = self.folder / "share" / "jupyter" / "kernels" / "xdp-lab" / "logo-svg.svg"
        logo.unlink(missing_ok=True)
        shutil.copyfile(editor / "logo.svg", logo)  # the server hands out no link
        extension = self.folder / "share" / "jupyter" / "labextensions" / "xdp-lab"
        extension.parent.mkdir(parents=True, exist_ok=True)
        swap(extension, editor / "jupyterlab")
        var = self.repo / ".venv" / "var"
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["MPLCONFIGDIR"] = str(var / "matplotlib")
        run(self.python, "-m", "matplotlib.font_manager")  # fills its cache; no cell waits for it


# What pip does when it installs a package: each script names the Python that it is for.
SCRIPTS = """
import importlib.metadata, pathlib, re, sys
from pip._vendor.distlib.scripts import ScriptMaker
maker = ScriptMaker(None, sys.argv[1])
maker.clobber, maker.variants = True, {""}
for entry in importlib.metadata.entry_points(group="console_scripts"):
    maker.make(f"{entry.name} = {entry.value}")
for path in pathlib.Path(sys.argv[1]).iterdir():
    whole = path.read_bytes()  # pip makes it a line of sh where the path has a space
    head = re.match(rb"#!(?:/bin/sh\\n'''exec' .*\\n' '''|.*/bin/python[\\d.]*)\\n", whole)
    if head:
        path.write_bytes(maker._get_shebang("utf-8") + whole[head.end():])
"""
