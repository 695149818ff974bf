# Groups the lines of LogHub by Drain3, with the masks of its own example, and measures how many lines a second it learns and matches.
# Arguments: seconds to measure each speed, and files. Prints one JSON object a file.
import csv
import gzip
import json
import logging
import sys
import time

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

logging.disable(logging.CRITICAL)
before, after = r"((?<=[^A-Za-z0-9])|^)", r"((?=[^A-Za-z0-9])|$)"
config = TemplateMinerConfig()
config.profiling_enabled = False
config.masking_instructions = [
    MaskingInstruction(before + pattern + after, name)
    for pattern, name in [
        (r"(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))", "ID"),
        (r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})", "IP"),
        (r"([0-9a-f]{6,} ?){3,}", "SEQ"),
        (r"([0-9A-F]{4} ?){4,}", "SEQ"),
        (r"(0x[a-f0-9A-F]+)", "HEX"),
        (r"([\-\+]?\d+)", "NUM"),
    ]
]
config.masking_instructions.append(MaskingInstruction(r'(?<=executed cmd )(".+?")', "CMD"))


def learn(messages):
    miner = TemplateMiner(config=config)
    return miner, [miner.add_log_message(m)["cluster_id"] for m in messages]


def rate(seconds, messages, work):
    n, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        work()
        n += len(messages)
    return n / (time.process_time() - begin)


seconds = float(sys.argv[1])
for path in sys.argv[2:]:
    with gzip.open(path, "rt", newline="") as f:
        messages = [record["content"] for record in csv.DictReader(f)]
    miner, groups = learn(messages)
    print(json.dumps({
        "groups": [str(g) for g in groups],
        "learn": rate(seconds, messages, lambda: learn(messages)),
        "match": rate(seconds, messages, lambda: [miner.match(m) for m in messages]),
    }), flush=True)
