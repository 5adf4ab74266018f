"""PyTorch's side of bench/gpu: answers questions, a JSON object a line, with one each. Argument: the device, `cuda` or `cpu` (to test this program).

- {"ask": "peaks"}: operations a second of large matrix products by precision, and bytes a second of a large copy
- {"ask": "prepare", "folder": …, "settings": …}: does the work once, with the `weights` and `data` (x and y) of that folder, and leaves `results` there
- {"ask": "measure", "seconds": …}: seconds of a call, over at least so many; of one call if they are 0

A question that fails is answered with {"error": …}, and the next may be another.
"""

import gc
import json
import os
import sys
import time

import torch

from gpu_works import WORKS, Bench
from networks import NETWORKS, load, read_safetensors


def seconds_of(call, at_least):
    calls, began = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - began < at_least:
        call()
        calls += 1
    return (time.perf_counter() - began) / calls


def peaks(device):
    """The best of several tries of each."""
    size, length = (8192, 1 << 30) if device == "cuda" else (256, 1 << 20)

    def rate(amount, call):
        def once():
            call()
            if device == "cuda":
                torch.cuda.synchronize()

        once()
        return amount / min(seconds_of(once, 0.05) for _ in range(3))

    result = {}
    for precision, dtype in {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}.items():
        if device == "cpu" and dtype != torch.float32:
            continue
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        out = torch.empty_like(a)
        result[precision] = rate(2 * size**3, lambda: torch.mm(a, b, out=out))
    source = torch.randn(length // 4, device=device)
    target = torch.empty_like(source)
    # Read and written.
    return {"operations": result, "bytes": rate(2 * length, lambda: target.copy_(source))}


class Server:
    def __init__(self, device):
        self.device, self.work = device, None

    def answer(self, question):
        if question["ask"] == "peaks":
            return peaks(self.device)
        if question["ask"] == "prepare":
            return self.prepare(question["folder"], question["settings"])
        return {"seconds": seconds_of(self.work, question["seconds"])}

    def prepare(self, folder, settings):
        self.release()
        torch.manual_seed(0)
        network = load(NETWORKS[settings["model"]](), read_safetensors(os.path.join(folder, "weights")))
        data = read_safetensors(os.path.join(folder, "data"))
        x, y = data["x"].contiguous(memory_format=torch.channels_last), data["y"].long()
        if self.device == "cuda":
            x, y = x.pin_memory(), y.pin_memory()
        results, self.work = WORKS[settings["kind"]](Bench(network, self.device, settings), x, y)
        results.contiguous().float().numpy().tofile(os.path.join(folder, "results"))
        return {}

    def release(self):
        self.work = None
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.compiler.reset()


def main(device):
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"Expected a GPU for PyTorch {torch.__version__} but it finds none")
    server = Server(device)
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    cudnn = torch.backends.cudnn.version() if device == "cuda" else None
    print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": cudnn, "device": name}), flush=True)
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        if "error" in answer:
            # Only now: the exception held what there was.
            server.release()
        print(json.dumps(answer), flush=True)


main(sys.argv[1])
