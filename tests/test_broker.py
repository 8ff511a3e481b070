"""Finding and running the queue's server."""

import shutil

import pytest
import redis

from jobs import broker


def test_redis_url_goes_before_everything_else(tmp_path):
    """Who names a server gets that server, and none is started."""
    assert broker.find(tmp_path, {"REDIS_URL": "redis://queue:6379/1"}) == broker.Broker(
        "redis://queue:6379/1"
    )


def test_without_redis_url_a_server_of_our_own_is_used(tmp_path):
    """A fresh clone needs no other program."""
    found = broker.find(tmp_path, {})
    assert found.url == f"unix://{tmp_path}/broker.sock"
    assert found.argv


def test_a_server_on_the_path_is_the_next_best(tmp_path, monkeypatch):
    """On a machine for which the package has no server, an installed one serves."""
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    found = broker.find(tmp_path, {})
    assert found.argv[0] == str(server)


def test_without_any_server_the_error_names_the_ways_out(tmp_path, monkeypatch):
    """The person reads what to do, not a stack trace."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(broker.BrokerMissing, match=r"(?s)REDIS_URL.*apt-get install redis-server"):
        broker.find(tmp_path, {})


def test_a_long_data_directory_does_not_break_the_socket(tmp_path):
    """Unix sockets have short names; a deep data directory is no reason to fail."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    found = broker.find(deep, {})
    folder = found.argv[found.argv.index("--dir") + 1]
    assert not folder.startswith(str(deep))
    shutil.rmtree(folder)


def test_our_own_server_listens_on_no_port_and_keeps_no_file(tmp_path):
    """It is a doorbell: nobody outside can ring it, and nothing of anybody stays in it."""
    with broker.running(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("k", "v")
        settings = client.config_get("port") | client.config_get("save") | client.config_get("appendonly")
        assert settings == {"port": "0", "save": "", "appendonly": "no"}
        assert (tmp_path / "broker.sock").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".rdb", ".aof")] == []
