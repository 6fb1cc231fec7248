import { measureSilences } from "./lifetime/silences.ts";
console.time("s");
for (const { name, times, bound } of await measureSilences()) {
  const t = times.toSorted((a, b) => a - b);
  console.log(name, t.length, bound, t[0], t[t.length >> 1], t[Math.floor(t.length * 0.99)], t.at(-1), t.filter((x) => x > bound).length);
  console.timeLog("s");
}
