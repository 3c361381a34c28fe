"""The exit codes of dcmsign, and the exception that carries one."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes in dcmsign's manual; 5, for a program built without OpenSSL, never occurs."""

    OK = 0
    COMMAND_LINE = 1
    CANNOT_READ_INPUT = 20
    NO_INPUT = 21
    CANNOT_READ_TAG_FILE = 30
    CANNOT_READ_TSQ_FILE = 31
    CANNOT_READ_TSR_FILE = 32
    CANNOT_READ_UID_FILE = 33
    CANNOT_WRITE_OUTPUT = 40
    CANNOT_WRITE_SUPPORT_FILE = 46
    CANNOT_ACCESS_SIGNATURE = 80
    CANNOT_ACCESS_TS = 81
    CANNOT_INSERT_TS = 82
    REMOVAL_FAILED = 83
    UID_NOT_FOUND = 84
    CREATION_FAILED = 85
    SYNTAX_IN_TAG_FILE = 86
    TS_CONSISTENCY = 87
    NO_SIGNATURES = 100
    VERIFICATION_FAILED = 101
    VERIFICATION_POLICY = 102


class ExitError(Exception):
    """The end of the program.

    Attributes:
        code: its exit code.
        level: how the message is logged.
    """

    def __init__(self, code: Exit, message: str = "", level: str = "fatal") -> None:
        super().__init__(message)
        self.code = code
        self.level = level
