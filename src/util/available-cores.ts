import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { posix } from "node:path";

/**
 * Cores that this process may really use: those of its affinity mask, and no more than the quota of its control groups (containers) pays for, rounded
 * up; at least 1.
 *
 * @param root where the system's `/proc` and `/sys` lie, for tests
 */
export function availableCores(root = "/"): number {
  const quota = process.platform === "linux" ? cgroupQuota(root) : Infinity;
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota)));
}

/**
 * The least quota, in cores, of this process's control group and of those above it; infinite where there is none. Version 2 has it in `cpu.max`
 * ("max 100000" or "150000 100000"), version 1 in `cpu.cfs_quota_us` (−1: none) and `cpu.cfs_period_us`.
 */
export function cgroupQuota(root: string): number {
  const groups = read(root, "proc/self/cgroup")?.trim().split("\n") ?? [];
  let least = Infinity;
  for (const line of groups) {
    // "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1.
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const mount = controllers === "" ? "sys/fs/cgroup" : `sys/fs/cgroup/${controllers}`;
    if (controllers !== "" && !controllers!.split(",").includes("cpu")) continue;
    for (let folder = posix.join("/", path); ; folder = posix.dirname(folder)) {
      least = Math.min(least, controllers === "" ? quota2(root, mount, folder) : quota1(root, mount, folder));
      if (folder === "/") break;
    }
  }
  return least;
}

function quota2(root: string, mount: string, folder: string): number {
  const [quota, period] = read(root, mount, folder, "cpu.max")?.trim().split(" ") ?? [];
  return ratio(quota, period);
}

function quota1(root: string, mount: string, folder: string): number {
  return ratio(
    read(root, mount, folder, "cpu.cfs_quota_us")?.trim(),
    read(root, mount, folder, "cpu.cfs_period_us")?.trim(),
  );
}

function ratio(quota: string | undefined, period: string | undefined): number {
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : Infinity;
}

/** Undefined where there is no such file, or none that may be read. */
function read(...path: readonly string[]): string | undefined {
  try {
    return readFileSync(posix.join(...path), "utf8");
  } catch {
    return undefined;
  }
}
