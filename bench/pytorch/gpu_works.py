"""What bench/gpu does, in PyTorch on a GPU: with images and results in the host's memory, except for `forward`, channels last, as CUDA graphs where asked.

Each work gives the results to compare and a function that does it again and waits until it is done.
"""

import torch
from torch.nn import functional as F

AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Bench:
    """A network on a device with a precision, and how its works are launched: `eager`, `graph`, or `compile` (torch.compile, then as a graph)."""

    def __init__(self, network, device, settings):
        self.device, self.settings = device, settings
        self.network = network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.logits = torch.compile(self.network) if settings["peer"] == "compile" else self.network
        self.precision = settings["precision"]
        tf32 = self.precision != "fp32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        # Autotuning of every shape.
        torch.backends.cudnn.benchmark = True
        self.pool = None

    def forward(self, x):
        """The logits of every exit."""
        if self.device == "cpu" or self.precision not in AUTOCAST:
            return self.logits(x)
        # Without the cache: weights that one graph has cast must not be taken for those of another.
        with torch.autocast("cuda", AUTOCAST[self.precision], cache_enabled=False):
            return self.logits(x)

    def losses(self, x, y):
        """The cross-entropies of every exit, each of every image."""
        return [F.cross_entropy(logits.float(), y, reduction="none") for logits in self.forward(x)]

    def like(self, x):
        """A buffer for images of that shape."""
        return torch.empty(x.shape, device=self.device).contiguous(memory_format=torch.channels_last)

    def captured(self, work, warm_up=3):
        """The work as one launch, after some runs that let libraries choose their kernels. It must take everything from buffers that stay."""
        if self.device == "cpu" or self.settings["peer"] == "eager":
            return work
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(warm_up):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            result = work()
        self.pool = graph.pool()

        def replay():
            graph.replay()
            return result

        return replay

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()


def forward(bench, x, y):
    images = bench.like(x).copy_(x)

    def infer():
        with torch.no_grad():
            return bench.forward(images)

    run = bench.captured(infer)

    def work():
        logits = run()
        bench.wait()
        return logits

    return torch.cat([logits.float().flatten() for logits in work()]).cpu(), work


class Ascent:
    """Steps of PGD up a loss, as the authors make them: the whole network runs, whichever exits the loss is of."""

    def __init__(self, bench, shape_of, exits):
        self.bench, self.exits = bench, exits
        self.clean, self.moved = bench.like(shape_of), bench.like(shape_of)
        self.labels = torch.zeros(len(shape_of), dtype=torch.int64, device=bench.device)
        self.clean.fill_(0.5)
        self.moved.fill_(0.5)
        self.step = bench.captured(self.ascend)

    def ascend(self):
        settings = self.bench.settings
        eps, step = settings["eps"], settings["step"]
        images = self.moved.detach().requires_grad_(True)
        losses = self.bench.losses(images, self.labels)
        loss = sum(losses[exit].sum() for exit in self.exits) / len(self.exits)
        (gradient,) = torch.autograd.grad(loss, images)
        moved = self.moved + step * gradient.sign()
        self.moved.copy_(torch.min(torch.max(moved, self.clean - eps), self.clean + eps).clamp(0, 1))

    def run(self, x, y, steps):
        """x and y are on the device already, or come from the host's memory."""
        self.clean.copy_(x, non_blocking=True)
        self.moved.copy_(x, non_blocking=True)
        self.labels.copy_(y, non_blocking=True)
        for _ in range(steps):
            self.step()
        return self.moved


class Scores:
    """The sum of an image's losses over all exits."""

    def __init__(self, bench, ascent):
        self.run = bench.captured(lambda: self.score(bench, ascent))

    @staticmethod
    def score(bench, ascent):
        with torch.no_grad():
            return sum(bench.losses(ascent.moved, ascent.labels))


def attack(bench, x, y):
    """PGD in one of the forms, on batches one after the other."""
    batch, exits = bench.settings["batch"], bench.settings["exits"]
    form = bench.settings["kind"]
    groups = {"main": [[exits - 1]], "average": [list(range(exits))], "max-average": [[exit] for exit in range(exits)]}[form]
    ascents = [Ascent(bench, x[:batch], group) for group in groups]
    scores = [Scores(bench, ascent) for ascent in ascents] if form == "max-average" else []
    kept = torch.empty_like(x, pin_memory=bench.device == "cuda")

    def work(steps=bench.settings["steps"]):
        for start in range(0, len(x), batch):
            part = slice(start, start + batch)
            best, worst = None, None
            for i, ascent in enumerate(ascents):
                moved = ascent.run(x[part], y[part], steps)
                if form != "max-average":
                    worst = moved
                    continue
                score = scores[i].run()
                if best is None:
                    best, worst = score.clone(), moved.clone(memory_format=torch.preserve_format)
                    continue
                worst = torch.where((score > best).view(-1, 1, 1, 1), moved, worst)
                best = torch.maximum(score, best)
            kept[part].copy_(worst)
        bench.wait()
        return kept

    return work(bench.settings["comparedSteps"]).clone(), work


def training(bench, x, y):
    """An iteration of adversarial training: the average form in train mode, then a step on the clean and the adversarial batch."""
    settings, network = bench.settings, bench.network
    network.train()
    network.requires_grad_(True)
    ascent = Ascent(bench, x, list(range(settings["exits"])))
    optimizer = torch.optim.SGD(
        network.parameters(), lr=settings["firstLearningRate"], momentum=settings["momentum"], weight_decay=settings["weightDecay"]
    )

    def update():
        optimizer.zero_grad(set_to_none=True)
        losses = [loss for images in (ascent.clean, ascent.moved) for loss in bench.losses(images, ascent.labels)]
        sum(0.5 * loss.mean() for loss in losses).backward()
        optimizer.step()
        return torch.cat([loss.detach() for loss in losses])

    def iteration(step, steps):
        ascent.run(x, y, steps)
        losses = step().cpu()
        bench.wait()
        return losses

    iteration(update, settings["comparedSteps"])
    for group in optimizer.param_groups:
        group["lr"] = settings["learningRate"]
    results = iteration(update, settings["comparedSteps"])
    run = bench.captured(update)
    return results, lambda: iteration(run, settings["steps"])


WORKS = {"forward": forward, "main": attack, "average": attack, "max-average": attack, "training": training}
