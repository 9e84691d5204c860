// From a table of sales (date,region,product,units,price) to a page with a chart.

const COLUMNS = ["date", "region", "product", "units", "price"];

export default function (input) {
  const title = host.config("title") || "Sales";
  const month = host.config("month") || "";
  const rows = table(input).filter((row) => row.date.startsWith(month));
  if (rows.length === 0) {
    throw new Error(month ? `no sales in ${month}` : "no sales");
  }

  const regions = new Map();
  rows.forEach((row, done) => {
    const region = regions.get(row.region) ?? { units: 0, revenue: 0 };
    region.units += row.units;
    region.revenue += row.units * row.price;
    regions.set(row.region, region);
    host.progress(done + 1, rows.length);
  });
  const sorted = [...regions].sort(([, a], [, b]) => b.revenue - a.revenue);
  const total = sorted.reduce((sum, [, region]) => sum + region.revenue, 0);
  host.status.set("rows", rows.length);
  host.status.set("revenue", Math.round(total * 100) / 100);
  console.log(`${rows.length} sales in ${sorted.length} regions`);

  const lines = sorted.map(([name, { units, revenue }]) => `${name},${units},${revenue.toFixed(2)}`);
  output("regions.csv", "text/csv", ["region,units,revenue", ...lines, ""].join("\n"));
  return new TextEncoder().encode(page(title, month, sorted, total));
}

/** A file beside the result. */
function output(name, type, text) {
  const file = host.outputs.create(name, type);
  host.outputs.write(file, new TextEncoder().encode(text));
  host.outputs.close(file);
}

/** The rows of a table; every line must have all columns. */
function table(text) {
  const [head, ...lines] = text.trimEnd().split(/\r?\n/);
  if (head !== COLUMNS.join(",")) {
    throw new Error(`the first line must be ${COLUMNS.join(",")}, not ${head}`);
  }
  return lines.map((line, n) => {
    const [date, region, product, units, price] = line.split(",");
    const row = { date, region, product, units: Number(units), price: Number(price) };
    if (!(row.units >= 0 && row.price >= 0)) {
      throw new Error(`line ${n + 2} is no sale: ${line}`);
    }
    return row;
  });
}

function page(title, month, regions, total) {
  const most = Math.max(...regions.map(([, region]) => region.revenue), 1);
  const bars = regions.map(([name, region], n) => {
    const width = Math.round((region.revenue / most) * 400);
    const y = n * 28;
    return `<text x="0" y="${y + 16}">${escape(name)}</text>` +
      `<rect x="110" y="${y}" width="${width}" height="20" rx="3"/>` +
      `<text x="${width + 118}" y="${y + 16}">${money(region.revenue)}</text>`;
  });
  const rows = regions.map(([name, region]) =>
    `<tr><td>${escape(name)}</td><td>${region.units}</td><td>${money(region.revenue)}</td></tr>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escape(title)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42em; margin: 3em auto; padding: 0 1em; }
  rect { fill: #3469c7; }
  table { border-collapse: collapse; margin-top: 1.5em; }
  td, th { padding: .2em 1.5em .2em 0; text-align: right; }
  td:first-child, th:first-child { text-align: left; }
</style>
<h1>${escape(title)}${month ? `, ${escape(month)}` : ""}</h1>
<p>${money(total)} in ${regions.length} regions.</p>
<svg role="img" aria-label="Revenue by region" width="640" height="${regions.length * 28}">${bars.join("")}</svg>
<table>
<tr><th>Region</th><th>Units</th><th>Revenue</th></tr>
${rows.join("\n")}
</table>
</html>
`;
}

function money(amount) {
  const [whole, cents] = amount.toFixed(2).split(".");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents} €`;
}

function escape(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (sign) => names[sign]);
}
