"""One frozen base that serves many tasks of one method; may import `anatomy`, `core`, `modules`, `peft`."""

from methods.bank.bank import Bank

__all__ = ["Bank"]
