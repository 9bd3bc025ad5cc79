"""`nissl review` on the command line: bad input is told in two lines and nothing is made."""

import socket

import pytest


def test_help_says_what_it_does(nissl):
    result = nissl("review", "--help")
    assert result.code == 0
    for word in ("--port", "--no-browser", "Ctrl-C"):
        assert word in result.out


def test_no_project(nissl, tmp_path):
    result = nissl("review", tmp_path / "nowhere", "--no-browser")
    assert result.code == 5
    assert "nissl add" in result.err
    assert not (tmp_path / "nowhere").exists()


def test_a_port_that_is_taken(nissl, demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = nissl("review", demo.study, "--no-browser", "--port", port)
    assert result.code == 3
    assert str(port) in result.err


@pytest.mark.parametrize("port", ["0", "70000", "http"])
def test_a_port_that_is_none(nissl, tmp_path, port):
    assert nissl("review", tmp_path, "--port", port).code == 2
