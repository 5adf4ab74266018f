using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "main", esModule = embed "worker.mjs"),
    (name = "rdi-simd.wasm", wasm = embed "rdi-simd.wasm"),
  ],
  compatibilityDate = "2026-01-01",
);
