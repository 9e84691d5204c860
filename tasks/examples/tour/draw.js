// Draws the best tour that is known.
export default function () {
  const count = Number(host.config("cities"));
  const cities = places(count);
  const { length, tour } = host.publicData.get("tour", `best-${count}`).value;
  const point = (n) => cities[n].map((x) => x.toFixed(2)).join(",");
  const dot = (n) => `<circle cx="${cities[n][0].toFixed(2)}" cy="${cities[n][1].toFixed(2)}" r="1.1"/>`;
  return new TextEncoder().encode(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 108 116" role="img">
<title>A way of ${length.toFixed(1)} round ${count} cities</title>
<rect x="-4" y="-4" width="108" height="116" fill="#fff"/>
<polygon points="${tour.map(point).join(" ")}" fill="#e8f1fb" stroke="#2b6cb0" stroke-width=".8" stroke-linejoin="round"/>
<g fill="#1a202c">${tour.map(dot).join("")}</g>
<text x="0" y="109" font-family="sans-serif" font-size="4" fill="#4a5568">${count} cities, ${length.toFixed(1)} round</text>
</svg>
`);
}

function places(count) {
  const random = dice(7);
  return Array.from({ length: count }, () => [random() * 100, random() * 100]);
}

function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
