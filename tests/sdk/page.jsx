// A page on which somebody approves: Trigger.dev's React hook as its documentation shows it, and a button that is clicked.
// It reports what it has become to the server that it came from.
import { useWaitToken } from "@trigger.dev/react-hooks";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";

const { apiUrl, tokenId, accessToken, output, apiKey } = window.job;

const report = (result) => fetch("/report", { method: "POST", body: JSON.stringify(result) });

function Approval() {
  const { complete, isLoading, isCompleted, isReady, error } = useWaitToken(tokenId, { accessToken, baseURL: apiUrl });

  useEffect(() => {
    document.querySelector("button").click();
  }, []);
  useEffect(() => {
    if (isCompleted || error) report({ isCompleted, error: error && { name: error.name, message: error.message } });
  }, [isCompleted, error]);

  return (
    <button disabled={!isReady || isLoading} onClick={() => complete(output)}>
      Approve
    </button>
  );
}

// What must not work from a page: making a token with an API key that should never have come there.
async function create() {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  try {
    const answer = await fetch(`${apiUrl}/api/v1/waitpoints/tokens`, { method: "POST", headers, body: "{}" });
    await report({ status: answer.status });
  } catch (error) {
    await report({ error: { name: error.name, message: error.message } });
  }
}

if (tokenId) createRoot(document.getElementById("root")).render(<Approval />);
else await create();
