# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from trove.localcloud import programs


def python(program):
    return sys.executable, "-c", program


def test_what_a_program_wrote_is_the_answer():
    host = programs.Host()
    assert host.run(*python("print(input())"), given="said\n") == "said"


def test_a_failure_says_what_was_run_and_what_it_said():
    program = "import sys; sys.exit('it is broken')"
    with pytest.raises(programs.ProgramFailed, match="it is broken") as caught:
        programs.Host().run(*python(program))
    assert caught.value.status == 1


def test_a_status_may_be_expected():
    program = "import sys; sys.exit(3)"
    assert programs.Host().run(*python(program), ok=(0, 3)) == ""
    assert programs.Host().status(*python(program)) == 3


def test_a_program_has_a_time():
    program = "import time; time.sleep(60)"
    with pytest.raises(programs.ProgramFailed, match=r"no end after 0\.2 s"):
        programs.Host().run(*python(program), within=0.2)


def test_a_program_that_is_missing_is_said_so():
    with pytest.raises(programs.ProgramFailed, match="not installed"):
        programs.Host().run("no-such-program")
