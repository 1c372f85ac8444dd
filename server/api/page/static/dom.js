// Builds elements. Texts become text nodes and never markup, because memories can contain anything.

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function table(title, columns, rows) {
  const cell = (name, text, index) => element(name, index ? { class: "number" } : {}, String(text));
  return [
    element("h3", {}, title),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...columns.map((text, i) => cell("th", text, i)))),
      element(
        "tbody",
        {},
        ...rows.map((row) => element("tr", {}, ...row.map((text, i) => cell("td", text, i)))),
      ),
    ),
  ];
}

export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Runs an action of the user, and shows the error if it fails.
export async function attempt(work) {
  const fault = byId("fault");
  try {
    const result = await work();
    fault.hidden = true;
    return result;
  } catch (error) {
    fault.textContent = error.describe ? error.describe() : String(error);
    fault.hidden = false;
    return undefined;
  }
}
