// Prints who a cluster takes the kubeconfig's user for, asked twice: the client keeps
// the credential plugin's answer between the two.
import { AuthenticationV1Api, KubeConfig } from "@kubernetes/client-node";

const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(AuthenticationV1Api);
for (let turn = 0; turn < 2; turn++) {
  const review = await api.createSelfSubjectReview({
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  });
  console.log(review.status.userInfo.username);
}
