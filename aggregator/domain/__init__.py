"""The words of the field and their rules. Standard library only; nothing here does I/O or reads a clock."""
