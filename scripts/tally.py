#!/usr/bin/env python3
"""Count a JUnit XML report, of pytest or ctest: prints `N passed, N failed, N skipped`; exits 1 when one failed."""

import sys
import xml.etree.ElementTree as xml
from collections import Counter


def outcome(case: xml.Element) -> str:
    """What became of one test case."""
    if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
        return "failed"
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        return "skipped"
    return "passed"


if __name__ == "__main__":
    count = Counter(outcome(case) for case in xml.parse(sys.argv[1]).iter("testcase"))
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    sys.exit(count["failed"] > 0)
