/** This machine's: operating system, processor, and `-musl` on a Linux whose C library is musl. */
export function platformName(): string {
  return `${process.platform}-${process.arch}${process.platform === "linux" && !hasGlibc() ? "-musl" : ""}`;
}

/** As Node.js itself says; a package for this would be CommonJS that requires built-in modules, which not every bundler can put into an ES module. */
function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
