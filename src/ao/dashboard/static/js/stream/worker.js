// The hub in a worker that all pages of the browser share. Its name is the address of the stream.
const hub = new Hub(self.name);
const FORGET_MS = 75_000;
const clients = new Map(); // port function → when its page was last heard

self.onconnect = ({ ports: [port] }) => {
  const client = (message) => port.postMessage(message);
  port.onmessage = ({ data }) => {
    clients.set(client, Date.now());
    if (data.follow) hub.follow(client, data.follow, data.after);
    if (data.leave) hub.leave(client, data.leave);
  };
};

// A page that crashed says nothing; one that was only asleep follows again at its next sign of life.
setInterval(() => {
  for (const [client, heard] of clients) {
    if (Date.now() - heard < FORGET_MS) continue;
    clients.delete(client);
    hub.drop(client);
  }
}, 25_000);
