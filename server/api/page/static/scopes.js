// A form in which to choose a user, agent, app or run, with suggestions from the project.

import { call } from "./api.js";
import { attempt, byId, element } from "./dom.js";

const KINDS = { user_id: "USER", agent_id: "AGENT", app_id: "APP", run_id: "RUN" };
const SUGGESTIONS = 200;

export class ScopeForm {
  // Puts the fields of the scope before the others of the form. `work` runs when the form is sent.
  constructor(prefix, work) {
    const ids = `${prefix}-ids`;
    const options = Object.entries(KINDS).map(([field, kind]) =>
      element("option", { value: field }, kind.toLowerCase()),
    );
    this.kind = element(
      "select",
      { id: `${prefix}-kind`, change: () => this.changeKind() },
      ...options,
    );
    this.id = element("input", {
      id: `${prefix}-id`, required: "", maxlength: 256, list: ids, spellcheck: "false",
    });
    this.suggestions = element("datalist", { id: ids });
    const form = byId(`${prefix}-form`);
    form.prepend(
      element("label", {}, "Scope ", this.kind),
      element("label", {}, "Id ", this.id),
      this.suggestions,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(work);
    });
  }

  get scope() {
    return { [this.kind.value]: this.id.value };
  }

  // Clears the id when another kind is chosen, because it is the id of another kind.
  changeKind() {
    this.id.value = "";
    return this.refresh();
  }

  async refresh() {
    const chosen = this.kind.value;
    const request = { kind: `SCOPE_KIND_${KINDS[chosen]}`, page_size: SUGGESTIONS };
    const answer = await attempt(() => call("MemoryService/ListScopes", request));
    if (chosen !== this.kind.value) return;
    const scopes = answer?.scopes ?? [];
    this.suggestions.replaceChildren(
      ...scopes.map((scope) => element("option", { value: scope.id })),
    );
    if (!this.id.value && scopes.length) this.id.value = scopes[0].id;
  }
}
