from tests.house_fixture import bank

__all__ = ["bank"]
