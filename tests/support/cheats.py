"""Python answers that end badly, or would be right if they could make it so."""

from __future__ import annotations

# Each of these is not right, and its reply has the words.
ENDS = {
    "it exits": ("import sys\nsys.exit(0)", "it ended the process"),
    "it exits when it is called": ("def packets(c): raise SystemExit", "it ended the process"),
    "an interrupt": ("def packets(c): raise KeyboardInterrupt", "it ended the process"),
    "it is gone": ("import os\ndef packets(c): os._exit(0)", "it ended the process"),
    "it aborts": ("import os\ndef packets(c): os.abort()", "it ended the process"),
    "a bad address": ("import ctypes\ndef packets(c): ctypes.string_at(1)", "it ended the process"),
    "a deep recursion": ("def packets(c): return packets(c)", "RecursionError"),
    "a stack that is full": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef packets(c): return max([c], key=packets)",
        "happened",  # before Python 3.12 that ended the process
    ),
    "much memory at once": ("def packets(c): return len('x' * 2**34)", "MemoryError"),
    "memory bit by bit": (
        "def packets(c):\n    all = []\n    while True: all.append(bytearray(2**24))",
        "MemoryError",
    ),
    "no end": ("def packets(c):\n    while True: pass", "no end after"),
    "no end of reading it": ("while True: pass", "no end after"),
    "sleep": ("import time\ndef packets(c): time.sleep(99)", "no end after"),
    "a power": ("def packets(c): return 9 ** 9 ** 9", "no end after"),
    "a pattern": (
        "import re\ndef packets(c): return bool(re.match('(a+)+b', 'a' * 99))",
        "no end after",
    ),
    "a repr without end": (
        "class Odd:\n    def __repr__(self):\n        while True: pass\n"
        "def packets(c): return Odd()",
        "no end after",
    ),
    "a repr that is large": (
        "class Odd:\n    def __repr__(self): return 'x' * 2**22\ndef packets(c): return Odd()",
        "That is a Odd",
    ),
    "a null byte": ("\0", "null bytes"),
    "brackets": ("(" * 5_000, "refused"),
    "an encoding that none has": ("# coding: nothing\ndef packets(c): return 0", "packets() gives"),
    "print without end": (
        "def packets(c):\n    while True: print('x' * 10_000)",
        "no end after",
    ),
}

# Each of these would be right, if it could be had so; none must be.
CHEATS = {
    "equal to all": """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 9
def packets(c): return Equal()
""",
    "a number that is equal to all": """
class Equal(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def packets(c): return Equal(0)
""",
    "a float that is equal to all": """
class Equal(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
def packets(c): return Equal(0)
""",
    "registered as a number": """
import numbers
class Equal:
    def __ne__(self, other): return False
numbers.Number.register(Equal)
def packets(c): return Equal()
""",
    "a class that lies about itself": """
class Equal:
    __class__ = property(lambda self: int)
    def __ne__(self, other): return False
def packets(c): return Equal()
""",
    "an array that is anything": """
class Equal:
    def __array__(self, *_): raise SystemExit
    def __ne__(self, other): return False
def packets(c): return Equal()
""",
    "not a number": "def packets(c): return float('nan')\n",
    "a generator": "def packets(c):\n    yield from (9, 15, 43, 0)\n",
    "a coroutine": "async def packets(c): return 9\n",
    "a class for a function": "class packets:\n    def __init__(self, c): pass\n",
    "lists in lists": "def packets(c):\n    a = []\n    a.append(a)\n    return a\n",
    "deep lists": """
def packets(c):
    a = []
    for _ in range(10_000): a = [a]
    return a
""",
    "more digits than Python prints": "def packets(c): return 10 ** 5_000\n",
    "two million characters": "def packets(c): return 'x' * 2**21\n",
    "an array of objects": """
import numpy as np
def packets(c): return np.array([object()], dtype=object)
""",
    "an array of wide texts": """
import numpy as np
def packets(c): return np.array(['x'], dtype='U100000')
""",
    "the callers' frames": """
import sys
def packets(c):
    frame = sys._getframe()
    while frame:
        if 'right' in frame.f_locals: return frame.f_locals['right']
        frame = frame.f_back
    return -1
""",
    "the frames by inspect": """
import inspect
def packets(c):
    found = [one.frame.f_locals.get('right') for one in inspect.stack()]
    return next(filter(None, found), -1)
""",
    "the check among all objects": """
import gc
def packets(c):
    for one in gc.get_objects():
        if getattr(one, '__name__', '') == 'check' and hasattr(one, '__globals__'):
            one.__globals__['equal'] = lambda *_: None
    return -1
""",
    "the kinds of errors": """
def packets(c):
    for one in Exception.__subclasses__():
        if one.__name__ == 'Wrong': one.__init__ = lambda *_: None
    return -1
""",
    "another check in its place": """
import labsetup.practice.checking as checking
checking.equal = lambda *_: None
def packets(c): return -1
""",
    "another reply in its place": """
import labsetup.practice.reply as reply
reply.Reply.as_json = lambda self: '{"ok": true}'
def packets(c): return -1
""",
    "builtins of its own": """
import builtins
builtins.sum = builtins.map = lambda *_: 0
def packets(c): return 0
""",
    "its own comparison": """
import operator
operator.eq = operator.ne = lambda *_: True
def packets(c): return -1
""",
    "an error that is called right": """
class Right(Exception): pass
def packets(c): raise Right('3.2 All of them: right')
""",
    "an error named as the lab's": """
class Ended(BaseException): pass
def packets(c): raise Ended
""",
    "a lab error of its own": """
from labsetup import LabError
def packets(c): raise LabError('right')
""",
    "an assertion": "def packets(c): assert False, 'right'\n",
    "an error whose text fails": """
class Odd(Exception):
    def __str__(self): raise ValueError
def packets(c): raise Odd
""",
    "an error of halves of characters": "def packets(c): raise ValueError('\\udcff\\ud800')\n",
    "an error that acts on a terminal": (
        "def packets(c): raise ValueError('\\x1b]0;mine\\x07\\x1b[2J\\u202e')\n"
    ),
    "an error of a strange kind": """
Odd = type('=cmd|"/c calc"!A1\\n\\x1b[2J', (Exception,), {})
def packets(c): raise Odd('=1+1')
""",
    "a group of errors": "def packets(c): raise ExceptionGroup('x', [ValueError('right')])\n",
    "an error that needs arguments": (
        "def packets(c): raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'right')\n"
    ),
    "a reply on every descriptor": """
import json, os
def packets(c):
    for file in range(200):
        try: os.write(file, b'{"exercise": "3.2", "title": "", "ok": true, "rows": [],'
                            b' "differs": [], "think": ""}\\n')
        except OSError: pass
    return -1
""",
    "values ahead of time": """
import os
for _ in range(9): os.write(3, b'{"gives": 0, "printed": ""}\\n')
def packets(c): return -1
""",
    "junk for a message": (
        "import os\nos.write(3, b'\\xff\\x00\\n[[[[')\ndef packets(c): return -1\n"
    ),
    "a message that is no object": (
        "import os\nos.write(3, b'[1, 2]\\n')\ndef packets(c): return 0\n"
    ),
    "a message of brackets": (
        "import os\nos.write(3, b'[' * 100_000 + b'\\n')\ndef packets(c): return 0\n"
    ),
    "a message without end": (
        "import os\ndef packets(c):\n    while True: os.write(3, b'x' * 9999)\n"
    ),
    "an error without a name": (
        "import os\nos.write(3, b'{\"raised\": [[], 0, 0]}\\n')\ndef packets(c): return 0\n"
    ),
    "an array of the check's memory": """
import os
os.write(3, b'{}\\n{"gives": ["numpy", "<U900000000", "x", false]}\\n')
def packets(c): return 0
""",
    "an array of objects, by hand": """
import os
os.write(3, b'{"printed": ""}\\n{"gives": ["numpy", "O", [1], true]}\\n')
def packets(c): return 0
""",
    "a fraction by nothing": """
import os
os.write(3, b'{"printed": ""}\\n{"gives": ["fraction", 1, 0]}\\n')
def packets(c): return 0
""",
    "a kind that none has": """
import os
os.write(3, b'{"printed": ""}\\n{"gives": ["system", "true"]}\\n')
def packets(c): return 0
""",
    "a host, where there is no network": """
import os
os.write(3, b'{"printed": ""}\\n{"gives": ["interface", "client", "eth0"]}\\n')
def packets(c): return 0
""",
    "no jail, it says": """
import os
def packets(c):
    os.write(3, b'{"broken": "nothing", "gives": 0}\\n')
    return -1
""",
    "the talk is closed": "import os\ndef packets(c): os.close(3); return 0\n",
    "the lab's JSON": """
import json
json.dumps = lambda *_, **__: '{"gives": true}'
def packets(c): return 0
""",
    "the counters are emptied": "def packets(c): c.clear(); return 0\n",
    "the counters are changed": "def packets(c):\n    c[1] = [0]\n    return 0\n",
}
