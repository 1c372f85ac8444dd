// Calls of the service. The key is kept in the tab's sessionStorage and sent as a header. Without
// cookies, no other site can make this browser call with it.

const KEY = "memoir.key";
const PROJECT = "memoir.project";

export class CallError extends Error {
  constructor(details = {}, status) {
    super(details.message || `HTTP ${status}`);
    this.code = details.code ?? "UNKNOWN";
    this.reason = details.reason;
    this.correlationId = details.correlation_id;
    this.violations = details.violations ?? [];
  }

  describe() {
    const rules = this.violations.map((rule) => `${rule.field}: ${rule.description}`).join("; ");
    const parts = [`${this.code}: ${this.message}`, this.reason, rules];
    if (this.correlationId) parts.push(`correlation id ${this.correlationId}`);
    return parts.filter(Boolean).join(" · ");
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

export function remember(key, project) {
  sessionStorage.setItem(KEY, key);
  sessionStorage.setItem(PROJECT, project);
}

export const forget = () => [KEY, PROJECT].forEach((name) => sessionStorage.removeItem(name));

// Returns the response in protobuf's JSON, which leaves out fields with their default value.
export async function call(method, request = {}) {
  const project = sessionStorage.getItem(PROJECT);
  let response;
  try {
    response = await fetch(`/api/${method}`, {
      method: "POST",
      credentials: "omit",
      headers: {
        "content-type": "application/json",
        authorization: `Token ${sessionStorage.getItem(KEY)}`,
      },
      body: JSON.stringify(project ? { ...request, project_id: project } : request),
    });
  } catch (error) {
    throw new CallError({ code: "UNAVAILABLE", message: "the server does not answer; check that it is running, and try again" }, 0);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new CallError(answer.details, response.status);
  return answer;
}
