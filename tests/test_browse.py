"""The browser of whoever typed sudo gets the address, and no other user of the machine does."""

from __future__ import annotations

import argparse
import os
import pwd
import subprocess
import webbrowser
from pathlib import Path

from labsetup.command import start
from labsetup.command.copies import Copies
from labsetup.editor import browse

PAGE = "<a href='http://127.0.0.1:8888/lab?token=secret'>on</a>"


def test_the_token_stands_in_a_file_of_the_users_alone(tmp_path, monkeypatch):
    opened: list[tuple[list[str], dict[str, str], str, os.stat_result]] = []

    def popen(command: list[str], env: dict[str, str]) -> None:
        path = Path(command[-1])
        opened.append((command, env, path.read_text(), path.stat()))

    reader = pwd.struct_passwd(("reader", "x", 4321, 4321, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: reader)
    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(browse, "LINGERS", 0.01)
    browse.open_page("reader", PAGE)
    ((command, environment, page, state),) = opened
    assert command[:4] == ["runuser", "--preserve-environment", "-u", "reader"]
    assert not [word for word in command if "secret" in word]
    assert environment["HOME"] == str(tmp_path)
    assert page == PAGE
    assert (state.st_uid, state.st_mode & 0o777) == (4321, 0o600)
    assert not list(tmp_path.iterdir()), "it is taken away again"


def test_start_hands_the_browser_no_token(monkeypatch):
    ran: list[list[str]] = []
    monkeypatch.setenv("SUDO_USER", "reader")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(start, "run_until_end", lambda words, *_: ran.append(words))
    monkeypatch.setattr(os, "chdir", lambda path: None)
    monkeypatch.setattr(Copies, "update", lambda self: [])
    monkeypatch.setattr(start, "keep_settings", lambda: None)
    arguments = argparse.Namespace(theirs=[])
    start.start(arguments)
    (words,) = ran
    assert not [word for word in words if "use_redirect_file" in word]
    (browser,) = (word.partition("=")[2] for word in words if word.startswith("--browser="))
    made = webbrowser.get(browser)
    assert isinstance(made, webbrowser.BackgroundBrowser)
    assert made.args == ["-P", "-m", "labsetup.editor.browse", "reader", "%s"]
