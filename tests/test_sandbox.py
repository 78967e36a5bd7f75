"""The private network: what is in it, what is not, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import nbformat
import pytest
from support.host import NOTEBOOKS, host_state, is_loaded, on_host
from support.kernels import Kernel, gone_within, processes_of

from labsetup import LabError, two_hosts
from labsetup.network import sandbox
from labsetup.terminals.running import running

LOOK = """import os
print(sorted(os.listdir("/sys/class/net")), os.readlink("/proc/thread-self/ns/net"))"""


@pytest.fixture
def kernel():
    one = Kernel()
    yield one
    one.close()


def test_a_kernel_sees_no_interface_of_the_host_in_any_of_its_threads(kernel):
    host = on_host("readlink", "/proc/self/ns/net").stdout.strip()
    main = kernel.run(LOOK)
    assert "['lo']" in main
    assert host not in main
    assert kernel.run(LOOK, subshell=kernel.new_subshell()) == main
    thread = f"threading.Thread(target=exec, args=({LOOK!r},))"
    assert kernel.run(f"import threading; t = {thread}; t.start(); t.join()") == main
    child = f"[sys.executable, '-c', {LOOK!r}]"
    assert "['lo']" in kernel.run(
        f"import subprocess, sys; print(subprocess.check_output({child}, text=True))"
    )


FORKED = """
import os, warnings
warnings.simplefilter("ignore")  # Python 3.13 has one about fork() beside the kernel's threads
child = os.fork()
if child == 0:
    print("from a child", flush=True)
    os._exit(0)
os.waitpid(child, 0)
import time
time.sleep(0.5)
"""


def test_what_a_forked_child_prints_is_shown(kernel):
    assert kernel.run(FORKED) == "from a child\n"


CALLBACK = """
import os, ipywidgets
seen = []
button = ipywidgets.Button()
button.on_click(lambda _: seen.append(os.readlink("/proc/thread-self/ns/net")))
print(button.comm.comm_id)
"""


def test_a_widget_callback_in_a_subshell_acts_inside(kernel):
    comm = kernel.run(CALLBACK).strip()
    kernel.send(
        "comm_msg",
        {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}},
        subshell=kernel.new_subshell(),
    )
    inside = kernel.run("print(os.readlink('/proc/self/ns/net'))").strip()
    deadline = time.monotonic() + 10
    while (seen := kernel.run("print(seen)").strip()) == "[]" and time.monotonic() < deadline:
        pass
    assert seen == f"['{inside}']"


def test_the_host_cannot_be_reached(kernel):
    said = kernel.run("import socket; socket.create_connection(('192.0.2.200', 80), timeout=2)")
    assert "Network is unreachable" in said


def test_two_notebooks_do_not_collide():
    one, other = Kernel(), Kernel()
    try:
        for each in (one, other):
            assert "3 sent, 3 received" in each.run(
                "from labsetup import *; net = two_hosts(); print(net.client.ping(net.server))"
            )
        assert len(running()) >= 2
    finally:
        one.close()
        other.close()


def test_a_shutdown_request_ends_the_kernel_and_its_children(kernel):
    kernel.run("import subprocess; p = subprocess.Popen(['sleep', '300'], start_new_session=True)")
    pids = processes_of(kernel.pid)
    assert len(pids) >= 3
    kernel.manager.shutdown_kernel()
    assert gone_within(pids, 2)


def test_without_root_each_cell_says_what_is_missing():
    nobody = ("unshare", "--user", "--map-user=1000")
    if subprocess.run([*nobody, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no user namespaces, in which to be somebody else")
    kernel = Kernel(nobody)
    try:
        for _ in range(2):
            assert "LabError: the lab needs root" in kernel.run("1 + 1")
    finally:
        kernel.close()


def test_an_interrupt_reaches_the_cell(kernel):
    request = kernel.begin("import time; time.sleep(60)")  # longer than the interrupt takes
    time.sleep(0.5)  # lets the cell begin; there is nothing to wait for
    kernel.manager.interrupt_kernel()
    assert "KeyboardInterrupt" in kernel.output(request)
    assert kernel.run("print('still here')") == "still here\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_is_left_after_kill_9_in_the_middle(path):
    before = host_state()
    name = f"left_{os.urandom(4).hex()}"  # other notebooks on this machine may come and go
    kernel = Kernel()
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    for source in cells[: len(cells) // 2]:
        kernel.run(source)
    kernel.run(f"p = Program({name!r}, 'int {name}(struct xdp_md *ctx) {{ return XDP_PASS; }}')")
    kernel.run("p.attach(net.server.eth0)")
    # What must die with the kernel: by themselves these go on for ever.
    endless = "tail -f /dev/null"
    kernel.run(f"import subprocess; subprocess.Popen('{endless} & {endless}', shell=True)")
    kernel.run(f"net.client.start('{endless}')")
    kernel.begin("import time; time.sleep(60)")  # a cell that is still running when it is killed
    pids = processes_of(kernel.pid)
    assert len(pids) >= 5
    assert is_loaded(name)
    kernel.kill()
    assert gone_within(pids, 2)
    deadline = time.monotonic() + 2
    while is_loaded(name) and time.monotonic() < deadline:
        time.sleep(0.1)  # polls: the kernel frees programs in the background
    assert not is_loaded(name)
    assert host_state() == before


def test_without_the_sandbox_nothing_is_built():
    said = on_host(sys.executable, "-c", "import labsetup; labsetup.two_hosts()")
    assert said.returncode != 0
    assert "not in the lab's private network" in said.stderr


def test_a_host_of_an_older_network_says_so():
    old = two_hosts()
    two_hosts()
    with pytest.raises(LabError, match="its network was built anew"):
        old.client.ping("192.0.2.2")


def test_a_block_in_a_namespace_stays_in_its_thread():
    two_hosts()
    here = os.readlink("/proc/thread-self/ns/net")
    with sandbox.in_namespace("client"):
        assert os.readlink("/proc/thread-self/ns/net") != here
        elsewhere = []
        thread = threading.Thread(
            target=lambda: elsewhere.append(os.readlink("/proc/thread-self/ns/net"))
        )
        thread.start()
        thread.join()
        assert elsewhere == [os.readlink("/proc/thread-self/ns/net")]
    assert os.readlink("/proc/thread-self/ns/net") == here
