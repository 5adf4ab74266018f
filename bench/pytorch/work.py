"""PyTorch's side of bench/network: does one work once, and then for as long as it is told.

Arguments: a folder with safetensors files of the `weights` and of `data` (x and y), where the `results` to compare go as plain
float32; and the settings as JSON. Says that it is ready, and answers each line of seconds with units a second (images; of pgd-step
images × steps) over at least that long.
"""

import json
import os
import sys
import time

import torch
from torch.nn import functional as F

from networks import NETWORKS, load, max_average_pgd, pgd, read_safetensors


# What each work gives: the results to compare, and a function that does the work again.


def forward(network, x, y, settings):
    def work():
        with torch.no_grad():
            return torch.cat([logits.flatten() for logits in network(x)])

    return work(), work


def pgd_step(network, x, y, settings):
    def work(steps=settings["steps"]):
        return pgd(network, x, x, y, steps, settings["eps"], settings["step"])

    return work(settings["comparedSteps"]), work


def max_average(network, x, y, settings):
    def work(steps=settings["steps"]):
        return max_average_pgd(network, x, y, steps, settings["eps"], settings["step"])

    return work(settings["comparedSteps"]), work


def training_step(network, x, y, settings):
    network.train().requires_grad_(True)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings["firstLearningRate"],
        momentum=settings["momentum"],
        weight_decay=settings["weightDecay"],
    )

    def work():
        losses = [F.cross_entropy(logits, y, reduction="none") for logits in network(x)]
        optimizer.zero_grad()
        sum(loss.mean() for loss in losses).backward()
        optimizer.step()
        return torch.cat([loss.detach() for loss in losses])

    work()
    for group in optimizer.param_groups:
        group["lr"] = settings["learningRate"]
    return work(), work


WORKS = {"forward": forward, "pgd-step": pgd_step, "max-average": max_average, "training-step": training_step}


def main(folder, settings):
    torch.set_num_threads(settings["threads"])
    network = load(NETWORKS[settings["model"]](), read_safetensors(os.path.join(folder, "weights")))
    data = read_safetensors(os.path.join(folder, "data"))
    x = data["x"].contiguous(memory_format=torch.channels_last)
    results, work = WORKS[settings["kind"]](network.eval().requires_grad_(False), x, data["y"].long(), settings)
    results.contiguous().numpy().tofile(os.path.join(folder, "results"))
    units = len(x) * (settings["steps"] if settings["kind"] == "pgd-step" else 1)
    print("ready", flush=True)
    for line in sys.stdin:
        at_least, calls, start = float(line), 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < at_least:
            work()
            calls += 1
        print(calls * units / (time.perf_counter() - start), flush=True)


main(sys.argv[1], json.loads(sys.argv[2]))
