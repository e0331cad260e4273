"""What the interpreter does under Debian's python3: script.py SECONDS."""
import json
import re
import sys
import time


def parse(text):
    return json.loads(text)


def search(text):
    return len(re.findall(r"(\w+)@(\w+)\.com", text))


def loop(count):
    total = 0
    for index in range(count):
        total += index * index % 7
    return total


def main():
    end = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 10)
    document = json.dumps({str(key): list(range(20)) for key in range(50)})
    mail = "someone@example.com and noone@nowhere " * 50
    while time.monotonic() < end:
        parse(document)
        search(mail)
        loop(2000)


main()
