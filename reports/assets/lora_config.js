// A LoRA configuration as Python source for peft, as `autopeft show --format python` prints it.
page.loraConfig = (trial) => {
  const { sites, paths, configurations, task } = page.data.table;
  const packed = configurations[trial];
  if (!packed.groups.length || packed.groups.some(({ module }) => module !== "lora")) return null;
  if (packed.order.some((index) => !paths[index])) return null;
  const order = new Map(packed.order.map((index, place) => [index, place]));
  const placed = packed.groups.flatMap(({ settings, sites: indices }) =>
    indices.map((index) => ({ index, ...JSON.parse(settings) })));
  placed.sort((a, b) => order.get(a.index) - order.get(b.index));
  const named = (value) => placed.map((one) => [paths[one.index], value(one)]);
  const ranks = named(({ rank }) => rank);
  const alphas = named(({ rank, scaling }) => rank * scaling);
  const quote = (text) => `'${text}'`;

  // The first of the most frequent values, as Python's `Counter.most_common`.
  function common(pairs) {
    const counts = new Map();
    for (const [, value] of pairs) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
  }

  function pattern(pairs, usual) {
    const rest = pairs.filter(([, value]) => value !== usual);
    if (!rest.length) return null;
    return `{\n${rest.map(([path, value]) => `        ${quote(path)}: ${value},\n`).join("")}    }`;
  }

  const [rank, alpha] = [common(ranks), common(alphas)];
  const targets = ranks.map(([path]) => `        ${quote(path)},\n`).join("");
  const parts = {
    r: rank, lora_alpha: alpha, target_modules: `[\n${targets}    ]`,
    rank_pattern: pattern(ranks, rank), alpha_pattern: pattern(alphas, alpha),
    task_type: quote(task),
  };
  const lines = Object.entries(parts).filter(([, value]) => value)
    .map(([name, value]) => `    ${name}=${value},`);
  const rate = JSON.parse(packed.learning_rate);
  return [`# Trial ${trial}; learning rate ${page.shortNumber(rate)}`, "from peft import LoraConfig",
    "", "config = LoraConfig(", ...lines, ")"].join("\n");
};

// A number with six significant digits, as Python's `:g`.
page.shortNumber = (value) => {
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (value !== 0 && (exponent < -4 || exponent > 5)) {
    const [digits, power] = Number(value.toPrecision(6)).toExponential().split("e");
    const size = `${Math.abs(Number(power))}`.padStart(2, "0");
    return `${digits}e${Number(power) < 0 ? "-" : "+"}${size}`;
  }
  return `${Number(value.toPrecision(6))}`;
};
