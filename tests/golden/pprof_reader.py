#!/usr/bin/env python3
"""Reads a pprof file with nothing of ours: the wire format and the field numbers of profile.proto.

Refuses whatever a reader may refuse (dangling references, values that do not fit the types, ids of 0), and prints
what it read as text, one line for each thing.
"""
import gzip
import sys


def varint(data, at):
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return result, at


def signed(number):
    return number - (1 << 64) if number >> 63 else number


def unsigned(number):
    return number % (1 << 64)


def fields(data):
    """The fields of a message: number -> list of values."""
    out, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        assert number > 0, "field number 0"
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
            assert len(value) == length, "field goes past the end"
        else:
            raise AssertionError(f"wire type {wire} is not in profile.proto")
        out.setdefault(number, []).append(value)
    return out


def numbers(message, number):
    """A repeated number, packed or not."""
    out = []
    for value in message.get(number, []):
        if isinstance(value, int):
            out.append(signed(value))
            continue
        at = 0
        while at < len(value):
            one, at = varint(value, at)
            out.append(signed(one))
    return out


def number(message, field):
    return (numbers(message, field) or [0])[-1]


def main(path):
    profile = fields(gzip.open(path).read())
    strings = [text.decode("utf-8") for text in profile[6]]
    assert strings[0] == "", "string 0 is not empty"

    def by_id(field):
        rows = [fields(row) for row in profile.get(field, [])]
        ids = [number(row, 1) for row in rows]
        assert 0 not in ids and len(set(ids)) == len(ids), f"ids of field {field}"
        return dict(zip(ids, rows))

    mappings, locations, functions = by_id(3), by_id(4), by_id(5)
    types = [fields(row) for row in profile[1]]
    names = [f"{strings[number(row, 1)]}/{strings[number(row, 2)]}" for row in types]
    print("types", " ".join(names))
    period = fields(profile[11][0])
    print("period", strings[number(period, 1)], strings[number(period, 2)], number(profile, 12))
    print("time", number(profile, 9), "duration", number(profile, 10))
    print("default", strings[number(profile, 14)])
    for comment in numbers(profile, 13):
        print("comment", strings[comment])
    for row in mappings.values():
        start, limit = unsigned(number(row, 2)), unsigned(number(row, 3))
        assert start < limit, "an empty mapping"
        print("mapping", strings[number(row, 5)], strings[number(row, 6)] or "-", "named" if number(row, 7) else "bare")
    for row in locations.values():
        mapping = mappings[number(row, 2)]
        start, limit = unsigned(number(mapping, 2)), unsigned(number(mapping, 3))
        assert start <= unsigned(number(row, 3)) < limit, "a location outside its mapping"

    def frames(location):
        row = locations[location]
        lines = [fields(line) for line in row.get(4, [])]
        if not lines:
            return [f"{unsigned(number(row, 3)):#x}"]
        functions_at = [functions[number(line, 1)] for line in lines]
        return [strings[number(function, 2)] for function in functions_at]

    sums, used, out = [0] * len(types), set(), []
    for row in map(fields, profile.get(2, [])):
        values, stack, labels = numbers(row, 2), numbers(row, 1), []
        assert len(values) == len(types), "values do not fit the types"
        used.update(stack)
        sums = [a + b for a, b in zip(sums, values)]
        for label in map(fields, row.get(3, [])):
            key, text, value = strings[number(label, 1)], number(label, 2), number(label, 3)
            assert key and (text == 0 or value == 0), "a label is a text or a number"
            labels.append(f"{key}={strings[text] if text else value}")
        path = [frame for location in stack for frame in frames(location)]
        out.append(f"sample {';'.join(reversed(path))} {' '.join(map(str, values))} [{' '.join(labels)}]")
    print("\n".join(sorted(out)))
    print("sums", *sums)
    assert used == set(locations), "a location that no sample uses"


if __name__ == "__main__":
    main(sys.argv[1])
