from tests.house_fixture import log

__all__ = ["log"]
