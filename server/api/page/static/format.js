// Formats numbers and times.

export const decimal = (value = 0) =>
  value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");

export const milliseconds = decimal;

// 64-bit integers are strings in protobuf's JSON.
export const count = (value = 0) => Number(value).toLocaleString("en");

export const seconds = (duration = "0s") => Number.parseFloat(duration);

export const moment = (timestamp) =>
  timestamp ? timestamp.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC") : "";

export const methodName = (method) => method.split("/").pop();
