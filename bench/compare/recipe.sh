openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null
openssl req -new -key "$1.key" -out "$1.csr" -subj "/CN=$1/O=dev"
kubectl apply -f - <<MANIFEST
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $1}
spec:
  request: $(base64 <"$1.csr" | tr -d '\n')
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages: [client auth]
MANIFEST
kubectl certificate approve "$1"
kubectl wait --for=jsonpath='{.status.certificate}' "csr/$1"
kubectl get csr "$1" -o jsonpath='{.status.certificate}' | base64 -d >"$1.crt"
kubectl --kubeconfig "$1.kubeconfig" config set-cluster bench --server="$SERVER" --certificate-authority="$AUTHORITY" --embed-certs
kubectl --kubeconfig "$1.kubeconfig" config set-credentials "$1" --client-key="$1.key" --client-certificate="$1.crt" --embed-certs
kubectl --kubeconfig "$1.kubeconfig" config set-context "$1" --cluster=bench --user="$1"
kubectl --kubeconfig "$1.kubeconfig" config use-context "$1"
