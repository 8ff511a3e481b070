// Sends six calls with @segment/analytics-node, as an application does: `node with_node.cjs HOST KEY`.
// Prints what the library says went wrong.
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host });
analytics.on("error", (error) => console.log(error.reason?.message ?? error.code));

const userId = "ada";
const timestamp = new Date("2026-09-21T10:00:00Z");
const traits = { email: "ada@example.com", first_name: "Ada", plan: "pro", seats: 3 };
const company = { name: "Acme", website: "https://acme.example", employees: 12 };
analytics.identify({ userId, traits, timestamp });
analytics.group({ userId, groupId: "acme", traits: company, timestamp });
analytics.track({ userId, event: "Report Opened", properties: { report: "Weekly" }, timestamp });
analytics.page({ userId, name: "Pricing", timestamp });
analytics.screen({ userId, name: "Home", timestamp });
analytics.alias({ userId, previousId: "anonymous-1", timestamp });
analytics.closeAndFlush();
