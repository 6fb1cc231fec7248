import cf from "cloudfront";

// The edge function: chooses the origin of a request, and tells it what it would otherwise not learn from CloudFront.
// It is a CloudFront function (JavaScript runtime 2.0): ECMAScript 5.1 with const, let, arrow functions and some methods
// of later editions; at most 10 KB and 1 ms. The local gateway runs this very file.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
//
// CloudFront hides Upgrade and Connection from it, so a socket is known by what else its request has. Names and values
// of the query are as they came, still escaped; a repeated name is one field with all its values.

/** The stage of the WebSocket API, filled in by index.ts. */
const SOCKET_STAGE = "{{SOCKET_STAGE}}";

/** What API Gateway would read as `hub`, in any case and however it is escaped. */
const HUB = /^(?:h|%[46]8)(?:u|%[57]5)(?:b|%[46]2)$/i;

/** Requests with a path of their own: what is asked of a hub beside its connections. */
const BESIDE = /[^/]\/(?:negotiate|refresh)\/?$/i;

function handler(event) {
  const request = event.request;
  const headers = request.headers;
  let hub;
  try {
    hub = decodeURIComponent(request.uri.slice(1));
  } catch (_error) {
    return { statusCode: 400, statusDescription: "Bad Request" };
  }

  // Nobody but this function says which hub is meant.
  Object.keys(request.querystring).forEach((name) => {
    if (HUB.test(name)) delete request.querystring[name];
  });
  // The origins see their own name as the host and CloudFront as the client. What a client says under these names goes.
  delete headers["x-forwarded-host"];
  delete headers["x-viewer-authorization"];
  if (has(headers, "host")) headers["x-forwarded-host"] = { value: headers.host.value };
  headers["x-viewer-address"] = { value: event.viewer.ip };

  const origin = originOf(request);
  cf.selectRequestOriginById(origin);
  if (origin === "http" && BESIDE.test(request.uri)) return request;
  if (origin === "stream" && has(headers, "authorization")) {
    // CloudFront signs what it sends to this origin, and the signature takes the place of the client's token.
    headers["x-viewer-authorization"] = headers.authorization;
    delete headers.authorization;
  }
  request.uri = origin === "socket" ? `/${SOCKET_STAGE}` : origin === "http" ? "/poll" : "/";
  request.querystring.hub = { value: encodeURIComponent(hub) };
  return request;
}

function originOf(request) {
  const headers = request.headers;
  if (request.method !== "GET") return "http";
  if (has(headers, "sec-websocket-key")) return "socket";
  if (says(headers, "accept", (value) => value.indexOf("text/event-stream") >= 0)) return "stream";
  const isRequest =
    BESIDE.test(request.uri) ||
    has(request.querystring, "_") ||
    has(headers, "x-requested-with") ||
    has(headers, "x-signalr-user-agent") ||
    says(headers, "user-agent", (value) => value.indexOf("Microsoft SignalR/") === 0);
  return isRequest ? "http" : "socket";
}

function says(headers, name, test) {
  if (!has(headers, name)) return false;
  const header = headers[name];
  return (header.multiValue || [header]).some((each) => test(each.value));
}

/** Clients choose the names: none may find something that was inherited. */
function has(fields, name) {
  return Object.prototype.hasOwnProperty.call(fields, name);
}
