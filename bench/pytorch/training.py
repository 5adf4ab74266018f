"""An iteration of adversarial training of RDI-ResNet38 in PyTorch: the paper's recipe with the average form.

Arguments: threads and iterations. Prints a JSON line for every iteration.
"""

import json
import resource
import sys
import time

import torch
from torch.nn import functional as F

from networks import RdiResNet38, pgd

BATCH, STEPS, EPS, ALPHA = 128, 10, 8 / 255, 2 / 255


def main(threads, iterations):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = RdiResNet38().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    x = torch.rand(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (BATCH,))
    for _ in range(iterations):
        began = time.perf_counter()
        start = (x + torch.empty_like(x).uniform_(-EPS, EPS)).clamp(0, 1)
        adversarial = pgd(network, start, x, y, STEPS, EPS, ALPHA)
        optimizer.zero_grad()
        sum(0.5 * F.cross_entropy(logits, y) for images in (x, adversarial) for logits in network(images)).backward()
        optimizer.step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": time.perf_counter() - began, "peakMiB": peak}), flush=True)


main(int(sys.argv[1]), int(sys.argv[2]))
