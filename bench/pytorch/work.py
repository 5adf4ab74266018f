"""PyTorch's side of bench/network: prepares one work, then does it as often as it is told, by lines on standard input.

Arguments: threads, kind (forward, pgd-step, training-step), model, steps, eps, step, a safetensors file of the weights, one with x and y, and the
file that the first results go to. Answers each line with the seconds of one more call.
"""

import sys
import time

import torch
from torch.nn import functional as F

from networks import NETWORKS, load, read_safetensors


def forward(network, x, **_):
    with torch.no_grad():
        return torch.cat([logits.flatten() for logits in network(x)])


def pgd_step(network, x, y, steps, eps, step, **_):
    adversarial = x
    for _ in range(steps):
        adversarial = adversarial.detach().requires_grad_(True)
        loss = sum(F.cross_entropy(logits, y, reduction="sum") for logits in network(adversarial)) / network.exits
        gradient, = torch.autograd.grad(loss, adversarial)
        moved = adversarial.detach() + step * gradient.sign()
        adversarial = torch.min(torch.max(moved, x - eps), x + eps).clamp(0, 1)
    return adversarial.contiguous().flatten()


def training_step(network, x, y, optimizer, **_):
    optimizer.zero_grad()
    losses = [F.cross_entropy(logits, y, reduction="none") for logits in network(x)]
    sum(loss.mean() for loss in losses).backward()
    optimizer.step()
    return torch.cat([loss.detach() for loss in losses])


WORKS = {"forward": forward, "pgd-step": pgd_step, "training-step": training_step}


def main(threads, kind, model, steps, eps, step, weights, data, results):
    torch.set_num_threads(int(threads))
    network = load(NETWORKS[model](), read_safetensors(weights))
    network.train(kind == "training-step")
    if kind != "training-step":
        for parameter in network.parameters():
            parameter.requires_grad_(False)
    tensors = read_safetensors(data)
    inputs = {
        "x": tensors["x"].contiguous(memory_format=torch.channels_last),
        "y": tensors["y"].long(),
        "steps": int(steps),
        "eps": float(eps),
        "step": float(step),
        # A rate so small that no number of steps changes the work.
        "optimizer": torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9, weight_decay=network.weight_decay),
    }
    with open(results, "wb") as file:
        file.write(WORKS[kind](network, **inputs).numpy().tobytes())
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        WORKS[kind](network, **inputs)
        print(time.perf_counter() - start, flush=True)


main(*sys.argv[1:])
