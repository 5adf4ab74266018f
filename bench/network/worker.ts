// A process of its own for each library: answers the questions of bench/network.ts.
import { secondsOf } from "../timing.js";
import { openOnnxruntimeNode, openOnnxruntimeWeb } from "./onnxruntime.js";
import { openOwn } from "./own.js";
import { openNativePeak, openPeak } from "./peak.js";
import type { Answer, Job, Library, Question, Subject } from "./protocol.js";
import { openPytorch } from "./pytorch.js";
import { openTfjs } from "./tfjs.js";

const libraries: Record<Subject["library"], (threads: number) => Library | Promise<Library>> = {
  cpu: (threads) => openOwn("cpu", threads),
  wasm: (threads) => openOwn("wasm", threads),
  "wasm-relaxed": (threads) => openOwn("wasm-relaxed", threads),
  "tfjs-wasm": openTfjs,
  "onnxruntime-web": openOnnxruntimeWeb,
  "onnxruntime-node": openOnnxruntimeNode,
  pytorch: openPytorch,
  peak: openPeak,
  "native-peak": openNativePeak,
};

const subject = JSON.parse(process.argv[2]!) as Subject;
const library = libraries[subject.library](subject.threads);
let job: Job | undefined;

async function answer(question: Question): Promise<Answer> {
  if (question.ask === "prepare") {
    job = await (await library).prepare(question.work);
    return { got: "outputs", outputs: "run" in job ? await (job.results?.() ?? job.run()) : job.results };
  }
  if (job === undefined) throw new Error("Expected the work to be prepared before it is measured");
  return { got: "rate", rate: await rateOf(job, question.seconds) };
}

async function rateOf(job: Job, atLeast: number): Promise<number> {
  return "run" in job ? job.units / (await secondsOf(() => job.run(), atLeast)) : job.rate(atLeast);
}

process.on("message", (question: Question) => {
  answer(question).then(
    (reply) => process.send!(reply),
    (error: unknown) => process.send!({ got: "error", message: String(error) } satisfies Answer),
  );
});
