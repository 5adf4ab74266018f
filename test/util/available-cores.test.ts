import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { availableCores, cgroupQuota } from "../../src/util/available-cores.js";

describe("the quota of control groups", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "rdi-cgroup-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const files = (contents: Record<string, string>): void => {
    for (const [path, text] of Object.entries(contents)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), `${text}\n`);
    }
  };

  it("is that of version 2, or of a group above if that is less", () => {
    files({
      "proc/self/cgroup": "0::/kube/pod/app",
      "sys/fs/cgroup/kube/pod/app/cpu.max": "max 100000",
      "sys/fs/cgroup/kube/pod/cpu.max": "150000 100000",
      "sys/fs/cgroup/kube/cpu.max": "400000 100000",
    });
    expect(cgroupQuota(root)).toBe(1.5);
  });

  it("is that of version 1, where the controller may be mounted with another", () => {
    files({
      "proc/self/cgroup": "5:memory:/app\n4:cpu,cpuacct:/app",
      "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "50000",
      "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
    });
    expect(cgroupQuota(root)).toBe(0.5);
  });

  it("is none where no group has one, or there are no groups", () => {
    expect(cgroupQuota(root)).toBe(Infinity);
    files({ "proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000" });
    expect(cgroupQuota(root)).toBe(Infinity);
  });

  it("leaves at least one core, and no more than the process may run on", () => {
    files({ "proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1000 100000" });
    expect(availableCores(root)).toBe(1);
    files({ "sys/fs/cgroup/cpu.max": "100000000 100000" });
    expect(availableCores(root)).toBe(availableParallelism());
  });
});
