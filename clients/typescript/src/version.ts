/** The version of this package, which requests name as their user agent. */
export const VERSION = "0.5.0-dev.0";
