// Opens what standard input names in a real Chromium and prints what a person would see there.
const { chromium } = require("playwright-core");

const SEEN = {
  // Runs the first cell of the notebook that the address opens; returns what the kernel printed.
  async cell(page) {
    const cell = page.locator(".jp-Notebook .jp-CodeCell").first();
    const output = cell.locator(".jp-OutputArea-output pre").first();
    // A cell that is run before the kernel is wired to the notebook is not run. When it is, the
    // status bar says so, as it does to a person.
    await page.getByText(/\| Idle$/).waitFor();
    await cell.locator(".cm-content").click();
    await page.keyboard.press("Control+Enter");
    await output.waitFor();
    return (await output.textContent()).trim();
  },

  // What a report says first, whether its chart and its rows are to be seen, and what it fetched.
  async report(page) {
    const fetched = [];
    page.on("request", (request) => fetched.push(request.url()));
    await page.reload();
    const visible = async (selector) => page.locator(selector).first().isVisible();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    return JSON.stringify({
      heading: (await page.locator("h1").textContent()).trim(),
      top: (await page.locator("h1").boundingBox()).y,
      chart: await visible("svg path"),
      lost: await page.locator("tbody tr td:first-child").allTextContents(),
      overflows: width > page.viewportSize().width,
      fetched: fetched.filter((url) => !url.startsWith("file:")),
    });
  },

  // What the page of a search says first, which plots are to be seen, its rows, and what it fetched.
  async search(page) {
    const fetched = [];
    const errors = [];
    page.on("request", (request) => fetched.push(request.url()));
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.reload();
    const plots = {};
    for (const section of await page.locator("section:has(.js-plotly-plot)").all()) {
      const drawn = section.locator(".trace, .parcoords .y-axis").first();
      await drawn.waitFor({ state: "attached" });
      const box = await section.locator(".main-svg").first().boundingBox();
      plots[(await section.locator("h2").textContent()).trim()] = box.height > 100;
    }
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    return JSON.stringify({
      heading: (await page.locator("h1").textContent()).trim(),
      top: (await page.locator("h1").boundingBox()).y,
      plots,
      rows: await page.locator("tbody tr").count(),
      link: await page.locator("tbody tr a").first().evaluate((link) => link.href),
      overflows: width > page.viewportSize().width,
      fetched: fetched.filter((url) => !url.startsWith("file:") && !url.startsWith("blob:")),
      errors,
    });
  },

  // SnakeViz: waits for the chart; returns the row of a function in the table below it, and what
  // was asked of other servers.
  async calls(page, { name, url }) {
    const asked = [];
    page.context().on("request", (request) => asked.push(request.url()));
    await page.reload();
    await page.locator("#chart svg path, #chart svg rect").first().waitFor();
    const row = page.locator("#pstats-table tbody tr", { hasText: name }).first();
    return JSON.stringify({
      row: (await row.textContent()).replace(/\s+/g, " ").trim(),
      asked: asked.length,
      elsewhere: asked.filter((from) => !from.includes(new URL(url).host)),
    });
  },

  // Waits for the chart of the scalar and the points in it; returns what a pointer over it shows.
  async curve(page, { tag }) {
    const card = page.locator("scalar-card", { hasText: tag }).first();
    await card.locator("line-chart svg path, line-chart canvas").first().waitFor();
    await card.locator("line-chart").hover();
    // It hangs in a layer above the page.
    const row = page.locator("tr.tooltip-row").first();
    await row.waitFor();
    return (await row.textContent()).replace(/\s+/g, " ").trim();
  },
};

async function main() {
  const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const browser = await chromium.launch({
    executablePath: asked.chromium,
    args: ["--no-sandbox", "--no-proxy-server"],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(60000);
  try {
    await page.goto(asked.url);
    console.log(await SEEN[asked.kind](page, asked));
  } catch (error) {
    if (asked.screenshot) await page.screenshot({ path: asked.screenshot });
    throw error;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
