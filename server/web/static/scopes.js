// The choice of a user, agent, app or run, with those that the project has as suggestions.

import { call } from "./api.js";
import { attempt, byId, element } from "./dom.js";

const KINDS = { user_id: "USER", agent_id: "AGENT", app_id: "APP", run_id: "RUN" };
const SUGGESTIONS = 200;

export class ScopeChoice {
  constructor(prefix) {
    this.kind = byId(`${prefix}-kind`);
    this.id = byId(`${prefix}-id`);
    this.suggestions = byId(`${prefix}-ids`);
    for (const [field, kind] of Object.entries(KINDS)) {
      this.kind.append(element("option", { value: field }, kind.toLowerCase()));
    }
    this.kind.addEventListener("change", () => this.refresh());
  }

  get scope() {
    return { [this.kind.value]: this.id.value };
  }

  async refresh() {
    const kind = `SCOPE_KIND_${KINDS[this.kind.value]}`;
    const request = { kind, page_size: SUGGESTIONS };
    const answer = await attempt(() => call("MemoryService/ListScopes", request));
    const scopes = answer?.scopes ?? [];
    this.suggestions.replaceChildren(
      ...scopes.map((scope) => element("option", { value: scope.id })),
    );
    if (!this.id.value && scopes.length) this.id.value = scopes[0].id;
  }
}
