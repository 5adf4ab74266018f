"""An iteration of adversarial training of RDI-ResNet38 in PyTorch: the paper's recipe with the average form. Prints a JSON line for every iteration."""

import json
import resource
import sys
import time

import torch
from torch.nn import functional as F

from networks import RdiResNet38

BATCH, STEPS, EPS, ALPHA = 128, 10, 8 / 255, 2 / 255


def main(threads, iterations):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = RdiResNet38().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    x = torch.rand(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (BATCH,))
    losses = lambda images: [F.cross_entropy(logits, y) for logits in model(images)]
    for _ in range(iterations):
        start = time.perf_counter()
        adversarial = (x + torch.empty_like(x).uniform_(-EPS, EPS)).clamp(0, 1)
        for _ in range(STEPS):
            adversarial.requires_grad_(True)
            gradient, = torch.autograd.grad(sum(losses(adversarial)) / 7, adversarial)
            moved = adversarial.detach() + ALPHA * gradient.sign()
            adversarial = torch.min(torch.max(moved, x - EPS), x + EPS).clamp(0, 1)
        optimizer.zero_grad()
        (0.5 * sum(losses(x)) + 0.5 * sum(losses(adversarial))).backward()
        optimizer.step()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peakMiB": peak}), flush=True)


main(int(sys.argv[1]), int(sys.argv[2]))
