"""A machine that lets a program have few descriptors, as every login shell has it at first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labsetup.practice.exercise import find

FEW = 128


@pytest.mark.parametrize("number", ["2.1", "3.2", "6.1"])
def test_an_answer_is_judged_with_few_descriptors(number: str) -> None:
    answer = find(number).folder / f"solution.{'c' if number == '2.1' else 'py'}"
    check = [sys.executable, "-P", "-m", "labsetup.command", "check", number, str(answer)]
    command = ["prlimit", f"--nofile={FEW}:{FEW}", *check]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ": right" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0
