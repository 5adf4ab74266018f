// A process of its own for each library: answers the questions of bench/network.ts.
import { openOnnxruntime } from "./onnxruntime.js";
import { openPeak } from "./peak.js";
import type { Answer, Job, Library, Question, Subject } from "./protocol.js";
import { openTfjs } from "./tfjs.js";
import { openWasm } from "./wasm.js";

const libraries: Record<Subject["library"], (threads: number) => Promise<Library>> = {
  wasm: openWasm,
  "tfjs-wasm": openTfjs,
  "onnxruntime-web": openOnnxruntime,
  peak: openPeak,
};

const subject = JSON.parse(process.argv[2]!) as Subject;
const library = libraries[subject.library](subject.threads);
let job: Job | undefined;

async function answer(question: Question): Promise<Answer> {
  if (question.ask === "prepare") {
    job = await (await library).prepare(question.work);
    return { got: "outputs", outputs: await job.run() };
  }
  if (job === undefined) throw new Error("Expected the work to be prepared before it is measured");
  const start = performance.now();
  let calls = 0;
  let seconds: number;
  do {
    await job.run();
    calls++;
    seconds = (performance.now() - start) / 1e3;
  } while (seconds < question.seconds);
  return { got: "rate", rate: (calls * job.units) / seconds };
}

process.on("message", (question: Question) => {
  answer(question).then(
    (reply) => process.send!(reply),
    (error: unknown) => process.send!({ got: "error", message: String(error) } satisfies Answer),
  );
});
